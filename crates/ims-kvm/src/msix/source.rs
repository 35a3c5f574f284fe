// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A device's vectors as its lines see them.

use ims::message::{Message, RequesterId};
use ims::msix::MsixPort;

use crate::lines::Target;
use crate::signal::Signal;
use crate::vm::Vm;

/// What an eventfd announces is raised as the device itself would raise it.
pub(super) struct Source<V>(pub(super) MsixPort<Signal<V>>);

impl<V: Vm> Target for Source<V> {
    fn raise(&self, index: u32) {
        // The port counts what became of it. A line has the number of a vector, and
        // one that is none is counted by the port as well.
        let _ = self.0.raise(u16::try_from(index).unwrap_or(u16::MAX));
    }

    fn message(&self, index: u32) -> Option<(RequesterId, Message)> {
        let message = self.0.message(u16::try_from(index).ok()?)?;
        Some((self.0.requester(), message))
    }
}
