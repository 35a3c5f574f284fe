// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the bytes mean: descriptors, completion records and their codes.
//!
//! Numbers only, with the section of the Intel DSA architecture specification
//! (document 341204) each comes from; what is done with them is elsewhere.

mod completion;
mod descriptor;
mod flags;
mod opcode;
mod status;

pub use completion::{COMPLETION_ALIGN, COMPLETION_SIZE, Completion};
pub use descriptor::{DESCRIPTOR_SIZE, Descriptor, Span};
pub use flags::Flags;
pub use opcode::{Opcode, OperationSet};
pub use status::{Status, WRITE_FAULT};
