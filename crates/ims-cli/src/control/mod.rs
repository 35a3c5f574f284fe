// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The control socket: how `ims adi` and `ims stat` speak with `ims serve`.
//!
//! ```text
//!   ims adi, ims stat                        ims serve
//!     client ── one line of JSON ──▶ listener ─▶ peer ─▶ message::Request
//!            ◀── one line of JSON ──             uid     message::Answer
//! ```
//!
//! A connection carries one request and its answer. Only the user who runs the
//! server may connect. The server takes one connection after the other, each for a
//! bounded time.

mod client;
mod error;
mod line;
mod listener;
pub(crate) mod message;
mod name;
mod peer;
mod place;

pub(crate) use client::ask;
pub(crate) use error::ControlError;
pub(crate) use listener::{Listener, ListenerError};
pub(crate) use name::{Name, NameError};
pub(crate) use place::{Place, PlaceError};
