// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a user gave, by a file or by a flag: where it stands, what it is, and what
//! would have been right.
//!
//! ```text
//!   file ─▶ text ─▶ document: entries in order, each with its place ─┐
//!                                                                    ├─▶ field: range
//!   flag ────────────────────────────────────────────────────────────┘    or GivenError
//! ```

mod document;
mod error;
mod origin;
mod suggestion;
mod text;
mod value;

pub(crate) use document::{Document, Entry, in_order};
pub(crate) use error::GivenError;
pub(crate) use origin::{Origin, Place, Shown};
pub(crate) use suggestion::suggestion;
pub(crate) use text::read;
pub(crate) use value::Given;
