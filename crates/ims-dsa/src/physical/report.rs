// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a physical function tells of itself.

use ims::message::Message;

use super::counts::Raises;
use crate::front::FrontStatus;
use crate::statistics::Statistics;

/// Which of the function's interrupts it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VectorKind {
    /// MSI-X vector 0: commands, errors, halts.
    Misc,
    /// Another MSI-X vector.
    MsiX,
    /// An entry of the Interrupt Message Store.
    Ims,
}

/// One interrupt, and what became of its raises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VectorReport {
    /// Which table it is of.
    pub kind: VectorKind,
    /// Its index there.
    pub index: u16,
    /// The handle that names it, if it has one.
    pub handle: Option<u16>,
    /// Where it goes: what the client programmed, if it lets the device see it.
    pub message: Option<Message>,
    /// Whether raises are held.
    pub masked: bool,
    /// Whether one is.
    pub pending: bool,
    /// What became of its raises.
    pub raises: Raises,
}

/// A physical function.
#[derive(Debug, Clone)]
pub struct PhysicalReport {
    /// Its state and its queues.
    pub front: FrontStatus,
    /// What its engines did since it was enabled; `None` while it is disabled.
    pub engines: Option<Statistics>,
    /// The interrupts that were ever used.
    pub vectors: Vec<VectorReport>,
}
