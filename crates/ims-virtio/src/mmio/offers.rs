// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The two ways by messages, of which one at a time is enabled.

use std::ops::Range;

use ims::sink::MessageSink;

use super::MmioWays;
use super::options::{MmioOptions, NewError};
use crate::interrupts::msi::{self, MsiPort};
use crate::interrupts::{Mode, STATUS};
use crate::layout::features;
use crate::layout::vis::{Command, register};
use crate::line::Line;
use crate::memory::Memory;
use crate::vis::{Vis, VisPort};

/// No command of VIS: what an enabling is turned into that comes while MSI is enabled.
/// VIS answers it as one that cannot be done now.
const NOT_NOW: u32 = 0;

/// What is offered beside the single interrupt.
#[derive(Debug)]
pub(super) struct Offers<M, K> {
    pub(super) msi: Option<msi::Control<K>>,
    pub(super) vis: Option<Vis<M, K>>,
}

impl<M: Memory, K: MessageSink + Clone + Send + Sync> Offers<M, K> {
    pub(super) fn new(
        options: &MmioOptions,
        queues: u16,
        memory: M,
        sink: K,
    ) -> Result<Self, NewError> {
        let requester = options.requester;
        let msi = options
            .msi
            .map(|offer| msi::Control::new(offer, queues, requester, sink.clone()))
            .transpose()?;
        let vis = options
            .vis
            .map(|offer| Vis::new(offer, queues, requester, memory, sink))
            .transpose()?;
        Ok(Self { msi, vis })
    }

    pub(super) fn ports(&self) -> (Option<MsiPort<K>>, Option<VisPort<M, K>>) {
        let msi = self.msi.as_ref().map(msi::Control::port);
        (msi, self.vis.as_ref().map(Vis::port))
    }

    /// Reads a register; zero if it is nobody's.
    pub(super) fn read(&self, offset: u64, mode: Mode) -> u32 {
        let msi = self.msi.as_ref().and_then(|msi| msi.read(offset, mode));
        let vis = || self.vis.as_ref().and_then(|vis| vis.read(offset));
        msi.or_else(vis).unwrap_or(0)
    }

    /// Writes one, while no reset goes on. `accepted` are the features that are
    /// agreed, `queue` is the selected one.
    pub(super) fn write<L: Line>(
        &mut self,
        offset: u64,
        value: u32,
        accepted: u64,
        queue: Option<u16>,
        queues: Range<u16>,
        ways: &MmioWays<M, K, L>,
    ) {
        if let Some(msi) = &mut self.msi {
            let layout = msi.offer().layout;
            if offset == layout.command {
                if accepted & layout.feature != 0 {
                    msi.command(value, queue, ways, queues);
                }
                return;
            }
            if msi.write(offset, value) {
                return;
            }
        }
        if let Some(vis) = &mut self.vis
            && accepted & features::VIS != 0
        {
            write_vis(vis, offset, value, queues, ways);
        }
    }

    /// As at first; the way is the line.
    pub(super) fn reset(&mut self) {
        if let Some(msi) = &mut self.msi {
            msi.reset();
        }
        if let Some(vis) = &mut self.vis {
            vis.reset();
        }
    }
}

fn write_vis<M: Memory, K: MessageSink + Clone + Send + Sync, L: Line>(
    vis: &mut Vis<M, K>,
    offset: u64,
    value: u32,
    queues: Range<u16>,
    ways: &MmioWays<M, K, L>,
) {
    let enables = offset == register::COMMAND
        && matches!(Command::from_value(value), Some((Command::Enable, _)));
    let value = if enables && ways.mode() == Mode::Msi {
        NOT_NOW
    } else {
        value
    };
    let was = vis.enabled();
    vis.write(offset, value);
    match (was, vis.enabled()) {
        (false, true) => ways.take(Mode::Vis, queues),
        // What masked vectors kept is in the driver's memory; the device does not
        // know of it.
        (true, false) => ways.fall_back(STATUS),
        _ => {}
    }
}
