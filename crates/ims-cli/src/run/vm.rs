// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A virtual machine: its vCPUs, its memory, and how long its interrupts took.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;
use ims::vector::CpuId;
use ims_host::Space;
use vm_memory::{GuestAddress, GuestMemoryMmap};

use super::error::RunError;
use super::operation::Buffers;
use super::turns::Turns;

/// Bytes of a completion record and what keeps the next buffer aligned.
const RECORD: u64 = 64;
/// Page size: what a dualcast's destinations must agree within.
const PAGE: u64 = 4096;

/// One virtual machine.
pub(super) struct Vm {
    pub(super) number: u32,
    pub(super) space: Space,
    pub(super) memory: GuestMemoryMmap<()>,
    /// Where the run's part of its memory begins.
    pub(super) base: u64,
    pub(super) turns: Turns,
    /// By vCPU; each is only ever locked by its own thread, and at the end.
    latencies: Vec<Mutex<Histogram<u64>>>,
}

/// How the memory of a VM is divided: for each outstanding operation a record
/// and three buffers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Division {
    /// Bytes of each buffer.
    pub(super) bytes: u32,
    /// Operations outstanding in each lane.
    pub(super) depth: u32,
}

impl Division {
    fn buffer(self) -> u64 {
        let bytes = u64::from(self.bytes);
        if bytes >= PAGE {
            bytes.next_multiple_of(PAGE)
        } else {
            bytes.next_multiple_of(RECORD)
        }
    }

    fn operation(self) -> u64 {
        RECORD + 3 * self.buffer()
    }

    /// Bytes that `lanes` lanes need, and the last page for a hostile submitter.
    pub(super) fn total(self, lanes: u32) -> u64 {
        u64::from(lanes) * u64::from(self.depth) * self.operation() + 2 * PAGE
    }

    /// The buffers of lane number `lane` of a VM whose part begins at `base`.
    pub(super) fn lane(self, base: u64, lane: u32) -> Vec<Buffers> {
        let first = u64::from(lane) * u64::from(self.depth);
        (first..first + u64::from(self.depth))
            .map(|at| {
                let record = base + at * self.operation();
                let source = record + RECORD;
                Buffers {
                    record,
                    source,
                    destination: source + self.buffer(),
                    second: source + 2 * self.buffer(),
                    size: self.bytes,
                }
            })
            .collect()
    }

    /// Where a hostile submitter has its own completion record.
    pub(super) fn scratch(self, lanes: u32) -> u64 {
        (self.total(lanes) - PAGE) / PAGE * PAGE
    }
}

/// `bytes` of memory for VM `number`, which nobody has made yet.
pub(super) fn memory(number: u32, bytes: u64) -> Result<GuestMemoryMmap<()>, RunError> {
    let bytes = usize::try_from(bytes.next_multiple_of(PAGE)).unwrap_or(usize::MAX);
    GuestMemoryMmap::from_ranges(&[(GuestAddress(0), bytes)]).map_err(|error| RunError::Memory {
        vm: number,
        bytes,
        error: error.to_string(),
    })
}

impl Vm {
    /// A VM whose vCPUs run already, and whose memory from `base` on is the run's.
    pub(super) fn new(
        number: u32,
        space: Space,
        memory: GuestMemoryMmap<()>,
        base: u64,
        turns: Turns,
    ) -> Result<Self, RunError> {
        let latencies = (0..space.cpus)
            .map(|_| histogram().map(Mutex::new))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            number,
            space,
            memory,
            base,
            turns,
            latencies,
        })
    }

    /// One interrupt took this long to its handler.
    pub(super) fn record_latency(&self, cpu: CpuId, latency: Duration) {
        if let Some(histogram) = self.latencies.get(cpu.0 as usize) {
            let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
            histogram
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .saturating_record(nanoseconds);
        }
    }

    /// Adds this VM's latencies to others.
    pub(super) fn add_latencies(&self, to: &mut Histogram<u64>) {
        for histogram in &self.latencies {
            // Same bounds, so nothing can fail to fit.
            let _ = to.add(&*histogram.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

/// Nanoseconds up to a minute, to two digits.
///
/// # Errors
/// None in practice: the bounds are constants.
pub(super) fn histogram() -> Result<Histogram<u64>, RunError> {
    const MINUTE: u64 = 60_000_000_000;
    Histogram::new_with_bounds(1, MINUTE, 2).map_err(|error| RunError::Histogram(error.to_string()))
}
