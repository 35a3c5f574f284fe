// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Interrupts of virtual devices on KVM, as a VMM needs them.
//!
//! ```text
//!   the VMM's own devices           vhost, VFIO, another process
//!        │ trigger.raise()                │ writes an eventfd
//!        ▼                                ▼
//!   ims::msix ─ mask, pending        Lines ─ watched here, or an irqfd of KVM's
//!        │ message                        │            │ a route, while it is busy
//!        ▼                                ▼            ▼
//!     Signal ── KVM_SIGNAL_MSI        raised as    Interrupts ─ 4096 routes shared by
//!        ▲      no route, no limit    on the left               any number of lines
//!        │
//!     Vcpus ─── what a remap unit decided, for a vCPU
//! ```
//!
//! Everything starts at [`Interrupts`], made from the VM's descriptor. There is no
//! global state; several VMs of a process know nothing of each other.

mod error;
mod eventfd;
mod forwarder;
pub mod guest_ims;
mod interrupts;
mod kvm_message;
mod lines;
#[cfg(all(test, loom))]
mod loom_tests;
#[cfg(feature = "machine")]
pub mod machine;
#[cfg(all(test, not(loom)))]
mod model_vm;
mod msix;
mod routes;
mod shared;
mod signal;
mod sync;
mod vcpus;
mod vm;

pub use error::{CommitError, LineError, NewError};
pub use forwarder::Forwarder;
pub use guest_ims::{GuestIms, GuestPort, GuestRemap, RemapOptions};
pub use interrupts::{Batch, Committed, Interrupts, Options, Pins, Report};
pub use kvm_message::Composer;
pub use lines::{Held, Lines, Target};
pub use msix::{MsixDevice, NoSuchVector, Trigger};
pub use signal::{Signal, Signalled};
pub use vcpus::Vcpus;
pub use vm::Vm;
