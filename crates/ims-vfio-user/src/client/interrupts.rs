// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Setting interrupts.

use std::os::fd::OwnedFd;

use ims_vfio::irqs::{self, Payload};
use ims_vfio::layout::{irq, irq_set};
use rustix::io::Errno;

use super::Client;
use crate::layout::{Header, SetIrqs};
use crate::replies::Replies;

impl Client {
    pub(super) fn set_irqs(
        &mut self,
        replies: &mut Replies,
        header: &Header,
        set: SetIrqs,
        bytes: &[u8],
        fds: Vec<OwnedFd>,
    ) {
        self.pin_changed |= set.index == irq::INTX;
        let irqs = &self.endpoint.function().irqs;
        // Before as many triggers are made as the client says there are.
        let there = irqs.info(set.index).map_or(0, |info| info.count);
        if set.start >= there || set.count > there - set.start {
            return replies.refuse(header, Errno::INVAL);
        }
        let (payload, size) = match set.flags & irq_set::DATA_TYPES {
            irq_set::DATA_BOOL => (Payload::Bools(bytes), set.count),
            irq_set::DATA_EVENTFD => {
                // None at all takes the triggers of the whole range away.
                let mut triggers: Vec<_> = fds.into_iter().map(Some).collect();
                triggers.resize_with(usize::try_from(set.count).unwrap_or(0), || None);
                (Payload::Triggers(triggers), set.count.saturating_mul(4))
            }
            _ => (Payload::None, 0),
        };
        let asked = irqs::SetIrqs {
            // Descriptors come beside the message: as if they were in it.
            argsz: irq_set::HEADER.saturating_add(size),
            flags: set.flags,
            index: set.index,
            start: set.start,
            count: set.count,
        };
        match irqs.set(asked, payload) {
            Ok(()) => replies.put(header, &[]),
            Err(error) => {
                tracing::debug!(%error, ?asked, "interrupts not set");
                replies.refuse(header, error.errno());
            }
        }
    }
}
