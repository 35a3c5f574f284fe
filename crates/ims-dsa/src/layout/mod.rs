// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the bytes mean: descriptors, completion records, registers and tables.
//!
//! Numbers only, with the section of the Intel DSA architecture specification
//! (document 341204) each comes from; what is done with them is elsewhere.

pub mod command;
mod completion;
mod delta;
mod descriptor;
mod dif;
pub mod event;
mod flags;
mod opcode;
pub mod portal;
pub mod registers;
mod status;
pub mod tables;

pub use completion::{COMPLETION_ALIGN, COMPLETION_SIZE, Completion};
pub use delta::{
    DELTA_ALIGN, DELTA_ENTRY_SIZE, DeltaEntry, DeltaResult, MAX_DELTA_TRANSFER, MIN_DELTA_ROOM,
};
pub use descriptor::{DESCRIPTOR_SIZE, Descriptor, Span};
pub use dif::{
    DestinationDif, Dif, DifMismatch, GeneralDif, MAX_BLOCK, SourceDif, TUPLE_SIZE, Tags, Tuple,
};
pub use flags::Flags;
pub use opcode::{Opcode, OperationSet};
pub use status::{Status, WRITE_FAULT};
