// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A virtual device as VFIO sees one, whatever carries the requests.
//!
//! ```text
//!   a transport (vfio-user, a VMM in the same process, a test)
//!        │ info · read · write · set_irqs · map · unmap · reset · detach
//!        ▼
//!     Endpoint ── what VFIO says must happen, in which order, and who must let go first
//!        │                              │
//!        ▼                              ▼
//!     Device (yours)               Function
//!     registers, work                Config   PCI config space, its capabilities
//!                                    Irqs     INTx, MSI, MSI-X, ERR, REQ; MSI-X over IMS
//!                                    Dma      the client's memory, as long as it is there
//! ```
//!
//! A device author writes [`Device`]; its [`Function`] is made once and does the
//! rest. Nothing here knows a socket. What must not be touched any more is taken
//! away with a [`Hold`]: whoever may still touch it keeps a clone, and the last
//! one that goes lets the answer out.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod device;
pub mod dma;
mod endpoint;
mod hold;
pub mod irqs;
pub mod layout;
pub mod pci;
mod region;
mod sync;

pub use device::{Device, Function};
pub use endpoint::{DeviceInfo, Endpoint, Stop, Written};
pub use hold::Hold;
pub use region::{AccessError, IoFd, IoFdKind, Region, Shared, SharedArea};
