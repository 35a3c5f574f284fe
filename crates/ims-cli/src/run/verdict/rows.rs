// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What happened, interrupt by interrupt.

use ims::store::Store;
use ims_host::{Irq, IrqCounts};

use crate::run::function::Function;
use crate::run::lane::Lane;
use crate::run::report::InterruptRow;
use crate::run::world::World;

/// What happened to each interrupt that is allocated now.
pub(in crate::run) fn rows<S: Store>(world: &World<S>) -> Vec<InterruptRow> {
    let of = |adi: &crate::run::world::Adi| world.functions.get(adi.function);
    let adis = world.adis.iter().filter_map(|adi| Some((of(adi)?, adi)));
    adis.flat_map(|(function, adi)| {
        let lanes = adi.lanes.iter();
        lanes.filter_map(move |(lane, irq)| row(function, lane, irq))
    })
    .collect()
}

fn row<S: Store>(function: &Function<S>, lane: &Lane, irq: &Irq) -> Option<InterruptRow> {
    let location = irq.location().ok()?;
    let (cpu, cpu_vector) = location.target?;
    let IrqCounts { raiser, taken } = function.domain.counts(irq);
    let requester = function.requester.0;
    let (bus, device) = (requester >> 8, requester >> 3 & 0x1f);
    Some(InterruptRow {
        virq: irq.virq().0,
        function: format!("{bus:02x}:{device:02x}.{}", requester & 7),
        index: location.index,
        handle: location.handle?.into(),
        adi: lane.parts.adi,
        queue: lane.parts.queue,
        vector_of_queue: lane.parts.vector,
        vm: lane.parts.vm.number,
        cpu: cpu.0,
        cpu_vector,
        raised: raiser.raised,
        taken,
        coalesced: raiser.coalesced,
        held: raiser.held,
        refused: raiser.refused,
        dropped: raiser.dropped,
    })
}
