// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One descriptor from its checks to its interrupt.
//!
//! ```text
//!   record address ─▶ interrupt handle ─▶ checks ─▶ operation ─▶ record ─▶ interrupt
//!        │ no record can be written          │                     │ status last,
//!        ▼                                   └── status ──────────▶│ with release
//!   error log
//! ```

use std::sync::atomic::Ordering;
use std::time::Duration;

use vm_memory::{Bytes, VolatileMemoryError, VolatileSlice};
use zerocopy::FromZeros;
use zerocopy::little_endian::{U32, U64};

use crate::check::{Rules, check};
use crate::client::{Client, Portal};
use crate::errors::{ErrorLog, SoftwareError};
use crate::interrupts::{Handle, Interrupts};
use crate::layout::{
    COMPLETION_ALIGN, COMPLETION_SIZE, Completion, DESCRIPTOR_SIZE, Descriptor, Flags, Opcode,
    Status,
};
use crate::limits::{Capabilities, Limits};
use crate::memory::{Access, AddressSpace};
use crate::operation::{self, Outcome};
use crate::reach::Reach;
use crate::statistics::Counters;
use crate::transfer::{Fault, read, window};

/// A descriptor and where it came from.
#[derive(Clone, Copy)]
pub(crate) struct Work<'a> {
    pub(crate) descriptor: &'a Descriptor,
    pub(crate) client: &'a Client,
    pub(crate) portal: Portal,
    pub(crate) limits: Limits,
    pub(crate) errors: &'a dyn ErrorLog,
    pub(crate) queue: u32,
    pub(crate) batch_index: Option<u32>,
}

/// What executing a descriptor may need of the queue it came from.
pub(crate) trait Surroundings: Sync {
    /// Waits for the descriptors before a drain.
    fn wait_before(&self);
    /// Whether to give up.
    fn is_abandoned(&self) -> bool;
    /// Whether to wait for a page (longer), having waited `so_far`, the last `slice`
    /// of it since this was asked before. Asked first with 0.
    fn may_wait(&self, _so_far: Duration, _slice: Duration) -> bool {
        true
    }
    /// A page that `may_wait` allowed to wait for is not waited for any longer.
    fn waited(&self) {}
}

/// What an engine executes descriptors with.
pub(crate) struct Executor<'a, I: Interrupts> {
    pub(crate) engine: u32,
    pub(crate) interrupts: &'a I,
    pub(crate) raiser: I::Raiser,
    pub(crate) counters: &'a Counters,
    pub(crate) capabilities: Capabilities,
}

impl<I: Interrupts> Executor<'_, I> {
    /// Executes one descriptor. Its end is told as the descriptor asks, and
    /// returned; `None` if it was abandoned, of which nothing is told.
    pub(crate) fn run(&mut self, work: &Work<'_>, around: &dyn Surroundings) -> Option<Status> {
        let record = record(work);
        if around.is_abandoned() {
            self.counters.abandoned();
            return None;
        }
        let record = match record {
            Ok(record) => record,
            Err((status, fault)) => {
                self.log(
                    work,
                    &Outcome {
                        fault,
                        ..Outcome::refused(status)
                    },
                );
                self.counters.ended(status, 0);
                return Some(status);
            }
        };
        let handle = handle(work);
        let usable =
            handle.filter(|handle| self.interrupts.check(*handle, work.client.pasid).is_ok());
        let Some(outcome) = self.outcome(work, handle == usable, around) else {
            self.counters.abandoned();
            return None;
        };
        self.record(work, record.as_ref(), &outcome);
        if let Some(handle) = usable {
            self.raise(work, handle);
        }
        self.counters.ended(outcome.status, outcome.bytes);
        Some(outcome.status)
    }

    fn outcome(
        &mut self,
        work: &Work<'_>,
        handle_is_valid: bool,
        around: &dyn Surroundings,
    ) -> Option<Outcome> {
        let rules = Rules {
            capabilities: self.capabilities,
            limits: work.limits,
            in_batch: work.batch_index.is_some(),
        };
        let opcode = match check(work.descriptor, &rules) {
            Ok(opcode) => opcode,
            Err(refusal) => {
                let value = refusal.invalid_flags.bits().into();
                return Some(Outcome {
                    value,
                    ..Outcome::refused(refusal.status)
                });
            }
        };
        if !handle_is_valid {
            return Some(Outcome::refused(Status::InvalidHandle));
        }
        match opcode {
            Opcode::Batch => self.batch(work, around),
            Opcode::Drain => {
                around.wait_before();
                (!around.is_abandoned()).then(|| Outcome::refused(Status::Success))
            }
            _ => {
                let reach = Reach::new(work, around);
                let outcome = operation::execute(opcode, work.descriptor, &reach);
                (!reach.gave_up()).then_some(outcome)
            }
        }
    }

    /// Executes a batch (8.3.2) in order, so that at a fence all before it have
    /// ended. Each descriptor is read once, and only its copy is looked at.
    fn batch(&mut self, work: &Work<'_>, around: &dyn Surroundings) -> Option<Outcome> {
        let list = work.descriptor.source.get();
        let mut failed = false;
        let batch = |status, completed| Outcome {
            completed,
            ..Outcome::refused(status)
        };
        for index in 0..work.descriptor.size.get() {
            if around.is_abandoned() {
                return None;
            }
            let reach = Reach::new(work, around);
            let descriptor = match fetch(&reach, list, index) {
                Ok(descriptor) => descriptor,
                Err(_) if reach.gave_up() => return None,
                Err(fault) => {
                    let result = u8::from(failed);
                    let outcome = batch(Status::BatchPageFault, index);
                    return Some(Outcome {
                        fault: Some(fault),
                        result,
                        ..outcome
                    });
                }
            };
            if failed && descriptor.flags().contains(Flags::FENCE) {
                return Some(batch(Status::BatchFailed, index));
            }
            let one = Work {
                descriptor: &descriptor,
                batch_index: Some(index),
                ..*work
            };
            failed |= self.run(&one, around)? != Status::Success;
        }
        let status = if failed {
            Status::BatchFailed
        } else {
            Status::Success
        };
        Some(batch(status, work.descriptor.size.get()))
    }

    /// Tells the end in the completion record, or where there is none and it
    /// is an error, in the log. A bad handle is told in both (5.4).
    fn record(&self, work: &Work<'_>, record: Option<&VolatileSlice<'_>>, outcome: &Outcome) {
        let asked = work.descriptor.flags().contains(Flags::REQUEST_RECORD);
        let quiet = outcome.status.is_quiet();
        if outcome.status == Status::InvalidHandle || record.is_none() && !quiet {
            self.log(work, outcome);
        }
        let Some(record) = record.filter(|_| asked || !quiet) else {
            return;
        };
        match publish(record, outcome) {
            Ok(()) => self.counters.recorded(),
            Err(_) => self.log(work, &Outcome::refused(Status::RecordPageFault)),
        }
    }

    fn raise(&mut self, work: &Work<'_>, handle: Handle) {
        let pasid = work.client.pasid;
        let raised = self
            .interrupts
            .raise(&mut self.raiser, self.engine, handle, pasid)
            .is_ok();
        self.counters.interrupted(raised);
        if !raised {
            self.log(work, &Outcome::refused(Status::InvalidHandle));
        }
    }

    fn log(&self, work: &Work<'_>, outcome: &Outcome) {
        let invalid = match outcome.status {
            Status::InvalidFlags => u32::try_from(outcome.value).unwrap_or(0),
            _ => 0,
        };
        work.errors.report(SoftwareError {
            status: outcome.status,
            queue: work.queue,
            pasid: work.client.pasid,
            opcode: work.descriptor.opcode(),
            batch_index: work.batch_index,
            fault: outcome
                .fault
                .map(|fault| (fault.address, fault.access == Access::Write)),
            invalid_flags: Flags::from_bits(invalid),
            handle: handle(work),
            flags: work.descriptor.flags(),
            record: completion(outcome),
        });
    }
}

/// The interrupt a descriptor asks for.
fn handle(work: &Work<'_>) -> Option<Handle> {
    let asked = work.descriptor.flags().contains(Flags::REQUEST_INTERRUPT);
    let number = work.descriptor.handle.get();
    asked.then_some(Handle {
        table: work.portal.table,
        number,
    })
}

/// The completion record's memory, if the descriptor has one. It is found
/// before anything is executed: what cannot be told is not begun.
fn record<'a>(work: &Work<'a>) -> Result<Option<VolatileSlice<'a>>, (Status, Option<Fault>)> {
    if !work.descriptor.flags().contains(Flags::RECORD_VALID) {
        return Ok(None);
    }
    let address = work.descriptor.completion.get();
    if !address.is_multiple_of(COMPLETION_ALIGN) {
        return Err((Status::RecordAlignment, None));
    }
    let fault = |fault| (Status::RecordPageFault, Some(fault));
    let memory = &*work.client.memory;
    let piece = window(memory, address, 0, COMPLETION_SIZE, Access::Write).map_err(fault)?;
    if piece.len() < COMPLETION_SIZE {
        let address = address.saturating_add(piece.len() as u64);
        return Err(fault(Fault {
            address,
            access: Access::Write,
        }));
    }
    Ok(Some(piece))
}

/// Writes a completion record: all of it, then the status, so that who sees
/// the status sees the rest, and every byte the operation wrote.
fn publish(record: &VolatileSlice<'_>, outcome: &Outcome) -> Result<(), VolatileMemoryError> {
    let completion = completion(outcome);
    let [status, rest @ ..] = completion.to_bytes();
    record.subslice(1, rest.len())?.copy_from(&rest);
    record.store(status, 0, Ordering::Release)
}

/// The record of an end.
fn completion(outcome: &Outcome) -> Completion {
    let fault = outcome.fault;
    Completion {
        status: outcome.status.code() | fault.map_or(0, Fault::direction),
        result: outcome.result,
        completed: U32::new(outcome.completed),
        fault_address: U64::new(fault.map_or(0, |fault| fault.address)),
        value: U64::new(outcome.value),
        tail: U64::new(outcome.tail),
        ..Completion::new_zeroed()
    }
}

/// Copies one descriptor out of a batch's list.
fn fetch(space: &dyn AddressSpace, list: u64, index: u32) -> Result<Descriptor, Fault> {
    let beyond = Fault {
        address: 0,
        access: Access::Read,
    };
    let offset = u64::from(index) * DESCRIPTOR_SIZE as u64;
    let address = list.checked_add(offset).ok_or(beyond)?;
    let mut bytes = [0; DESCRIPTOR_SIZE];
    read(space, address, &mut bytes)?;
    Ok(Descriptor::from_bytes(&bytes))
}

#[cfg(test)]
mod tests;
