// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The messages of vfio-user.
#![deny(missing_docs)]

pub mod layout;
mod limits;
pub mod memory;
pub mod request;
pub mod version;

pub use limits::Limits;
