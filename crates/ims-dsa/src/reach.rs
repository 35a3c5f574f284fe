// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A submitter's memory as one descriptor reaches it: in steps between which it can
//! be abandoned, waiting for pages if it is to block on a fault.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use vm_memory::VolatileSlice;

use crate::execute::{Surroundings, Work};
use crate::layout::Flags;
use crate::memory::{Access, AddressSpace, Unmapped};

/// The longest step, in bytes: about a millisecond of an engine's time.
const STEP: usize = 4 << 20;
/// How long a page is waited for at a time: how late an abort is at most.
const SLICE: Duration = Duration::from_millis(5);

/// The memory of one descriptor's submitter.
pub(crate) struct Reach<'a> {
    memory: &'a dyn AddressSpace,
    around: &'a dyn Surroundings,
    blocks: bool,
    gave_up: AtomicBool,
}

impl<'a> Reach<'a> {
    /// For a descriptor that passed its checks.
    pub(crate) fn new(work: &Work<'a>, around: &'a dyn Surroundings) -> Self {
        Self {
            memory: &*work.client.memory,
            around,
            blocks: work.descriptor.flags().contains(Flags::BLOCK_ON_FAULT),
            gave_up: AtomicBool::new(false),
        }
    }

    /// Whether an access failed because the descriptor is abandoned.
    pub(crate) fn gave_up(&self) -> bool {
        self.gave_up.load(Ordering::Relaxed)
    }

    /// Tries until the page is there, or is not to be waited for.
    fn wait_for(
        &self,
        mut fault: Unmapped,
        length: usize,
        access: Access,
    ) -> Result<VolatileSlice<'_>, Unmapped> {
        let address = fault.address;
        let begin = Instant::now();
        let (mut so_far, mut slice) = (Duration::ZERO, Duration::ZERO);
        while self.around.may_wait(so_far, slice) {
            if self.is_abandoned() || !self.memory.wait(fault, SLICE) {
                break;
            }
            match self.memory.window(address, length, access) {
                Ok(piece) => return Ok(piece),
                Err(again) => fault = again,
            }
            // Not zero, which is how the waiting begins.
            let now = begin.elapsed().max(so_far + Duration::from_nanos(1));
            slice = now.saturating_sub(so_far);
            so_far = now;
        }
        Err(fault)
    }

    fn is_abandoned(&self) -> bool {
        let is = self.around.is_abandoned();
        if is {
            self.gave_up.store(true, Ordering::Relaxed);
        }
        is
    }
}

impl AddressSpace for Reach<'_> {
    fn window(
        &self,
        address: u64,
        length: usize,
        access: Access,
    ) -> Result<VolatileSlice<'_>, Unmapped> {
        if self.is_abandoned() {
            return Err(Unmapped { address });
        }
        let length = length.min(STEP);
        let found = match self.memory.window(address, length, access) {
            Err(fault) if self.blocks => {
                let found = self.wait_for(fault, length, access);
                self.around.waited();
                found
            }
            found => found,
        };
        // A session that has ended shows as a fault first.
        found.inspect_err(|_| {
            self.is_abandoned();
        })
    }
}
