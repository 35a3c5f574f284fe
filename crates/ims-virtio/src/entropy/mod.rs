// SPDX-License-Identifier: Apache-2.0 OR MIT
//! An entropy source: what the system's random source gives. Source: virtio 1.3, 5.4.

use std::{fmt, io};

use ims_vfio::Hold;
use rustix::rand::{GetRandomFlags, getrandom};
use vm_memory::{Bytes, GuestMemory};

use crate::device::{Device, Setup, StartError};
use crate::layout::features::{RING_EVENT_IDX, RING_INDIRECT_DESC};
use crate::memory::Memory;
use crate::queues::{BackingInterrupts, Chain, Job, Outcome, Queues, Work};

#[cfg(all(test, not(loom)))]
mod tests;

/// The device's id. Source: 5.
pub const ID: u32 = 4;

/// The queue's greatest size.
const QUEUE_SIZE: u16 = 64;

/// The most bytes one request is given. The device may give less than there is room
/// for. Source: 5.4.6.1.
const MOST: u64 = 64 << 10;

/// Bytes asked of the system at once: the most it gives without being interruptible.
const PIECE: u32 = 256;

/// An entropy source with one queue, and one thread.
pub struct Entropy {
    queues: Queues<Randomness>,
}

impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entropy").finish_non_exhaustive()
    }
}

impl Entropy {
    /// A source whose host-side interrupt is an entry of `interrupts`.
    ///
    /// # Errors
    /// The operating system gave no thread.
    pub fn new(interrupts: BackingInterrupts) -> io::Result<Self> {
        let queues = Queues::new("entropy", Randomness, vec![()], interrupts)?;
        Ok(Self { queues })
    }
}

/// The system's random source.
struct Randomness;

impl Work for Randomness {
    type Tool = ();

    fn work<G: GuestMemory>(
        &self,
        (): &mut (),
        job: Job<'_>,
        memory: &G,
        chain: &Chain,
    ) -> Outcome {
        let mut outcome = Outcome {
            written: 0,
            unreachable: false,
        };
        if !chain.is_whole() {
            return outcome;
        }
        let mut bytes = [0; PIECE as usize];
        let room = chain.writable.bytes().min(MOST);
        for (address, length) in chain.writable.cut(0, room, PIECE) {
            let bytes = bytes.get_mut(..length as usize).unwrap_or_default();
            if job.is_over() || fill(bytes).is_err() {
                break;
            }
            if memory.write_slice(bytes, address).is_err() {
                outcome.unreachable = true;
                break;
            }
            outcome.written = outcome.written.saturating_add(length);
        }
        outcome
    }
}

/// Fills `bytes`, or says why the system has none.
fn fill(mut bytes: &mut [u8]) -> rustix::io::Result<()> {
    while !bytes.is_empty() {
        let given = match getrandom(&mut *bytes, GetRandomFlags::empty()) {
            Err(rustix::io::Errno::INTR) => continue,
            other => other?,
        };
        bytes = bytes.get_mut(given..).unwrap_or_default();
    }
    Ok(())
}

impl<M: Memory> Device<M> for Entropy {
    fn id(&self) -> u32 {
        ID
    }

    fn features(&self) -> u64 {
        RING_INDIRECT_DESC | RING_EVENT_IDX
    }

    fn queues(&self) -> &[u16] {
        &[QUEUE_SIZE]
    }

    fn read_config(&self, _: u64, into: &mut [u8]) {
        into.fill(0);
    }

    fn start(&self, setup: Setup<M>) -> Result<(), StartError> {
        if setup.queues.first().is_none_or(Option::is_none) {
            return Err(StartError::Queue { queue: 0 });
        }
        self.queues.start(setup, QUEUE_SIZE)
    }

    fn notify(&self, queue: u16) {
        self.queues.notify(queue);
    }

    fn stop(&self, hold: Hold) {
        self.queues.stop(hold);
    }
}
