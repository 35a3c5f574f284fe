// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Places: a vector of a vCPU, each for one source at a time.

use std::collections::VecDeque;
use std::sync::Arc;

use ims::message::Message;
use ims_kvm::machine::Machine;

/// Vectors that sources have; the machine's own are below.
const VECTORS: std::ops::RangeInclusive<u8> = 0x30..=0xef;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub cpu: u32,
    pub vector: u8,
}

pub struct Places {
    machine: Arc<Machine>,
    of: Vec<Place>,
    spare: VecDeque<Place>,
    /// Moved away from by this source, and maybe still on their way there.
    resting: Vec<(Place, u32)>,
    all: Vec<Place>,
}

impl Places {
    pub fn new(machine: Arc<Machine>, cpus: u32, sources: u32) -> Self {
        let all: Vec<_> = VECTORS
            .flat_map(|vector| (0..cpus).map(move |cpu| Place { cpu, vector }))
            .collect();
        let mut spare: VecDeque<_> = all.iter().copied().collect();
        let of: Vec<_> = spare.drain(..sources as usize).collect();
        for (source, place) in of.iter().enumerate() {
            machine.scan(place.cpu, place.vector, source as u32, 1);
        }
        Self {
            machine,
            of,
            spare,
            resting: Vec::new(),
            all,
        }
    }

    pub fn message(&self, source: u32) -> Message {
        let place = self.of[source as usize];
        self.machine.message(place.cpu, place.vector)
    }

    /// A place for `source` to move to; the guest's handler there knows it already.
    /// Tell when it has moved.
    pub fn next(&mut self, source: u32) -> Option<Place> {
        self.rest();
        let place = self.spare.pop_front()?;
        self.machine.scan(place.cpu, place.vector, source, 1);
        Some(place)
    }

    pub fn message_at(&self, place: Place) -> Message {
        self.machine.message(place.cpu, place.vector)
    }

    pub fn moved(&mut self, source: u32, place: Place) {
        let old = std::mem::replace(&mut self.of[source as usize], place);
        self.resting.push((old, source));
    }

    /// Gives back what is quiet: once the source's bit was clear after the move, all
    /// that was sent to the old place has run there, or runs now.
    fn rest(&mut self) {
        let (machine, spare) = (&self.machine, &mut self.spare);
        self.resting.retain(|&(place, source)| {
            let quiet =
                !machine.is_posted(source * 64) && !machine.in_handler(place.cpu, place.vector);
            if quiet {
                spare.push_back(place);
            }
            !quiet
        });
    }

    /// How many handlers ran, and how many of them found nothing.
    pub fn handlers(&self) -> (u64, u64) {
        let sum = |of: &dyn Fn(Place) -> u64| self.all.iter().map(|&place| of(place)).sum();
        (
            sum(&|place| self.machine.interrupts(place.cpu, place.vector)),
            sum(&|place| self.machine.empty(place.cpu, place.vector)),
        )
    }
}
