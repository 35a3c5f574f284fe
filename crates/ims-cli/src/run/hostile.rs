// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Messages and descriptors that must be refused, and be seen to be.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ims::domain::Raised;
use ims::message::{
    Addressing, Compatibility, DeliveryMode, Destination, Message, Remappable, RequesterId, Trigger,
};
use ims::remap::FaultReason;
use ims::sink::{Answer, MessageSink, Refusal};
use ims::store::{Pasid, Store};
use ims_dsa::layout::{Descriptor, Flags, Opcode, Status};
use vm_memory::{Bytes, GuestAddress};

use super::lane::PORTAL;
use super::world::{World, client};

/// How long a hostile descriptor may take to be refused.
const ANSWERED: Duration = Duration::from_secs(5);

/// How often something was tried, and how often it was refused for the right
/// reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Attempts {
    pub(super) sent: u64,
    pub(super) refused: u64,
}

/// What was tried, and what the remap units must have counted for it.
#[derive(Default)]
pub(super) struct Hostile {
    pub(super) attempts: BTreeMap<&'static str, Attempts>,
    /// Faults that these messages must have led to, by reason.
    pub(super) faults: BTreeMap<FaultReason, u64>,
    /// Raises that a store must have refused.
    pub(super) wrong_pasid_raises: u64,
    /// Reports that devices' error logs must have.
    pub(super) device_reports: u64,
    /// Fault records read.
    pub(super) recorded: u64,
}

impl Hostile {
    /// Tries one thing, which one `random` says.
    pub(super) fn attack<S: Store>(&mut self, world: &World<S>, random: u64) {
        let at = usize::try_from(random >> 8).unwrap_or(0) % world.adis.len().max(1);
        let Some(adi) = world.adis.get(at) else {
            return;
        };
        let Some((lane, irq)) = adi.lanes.first() else {
            return;
        };
        let Some(function) = world.functions.get(adi.function) else {
            return;
        };
        let Some(handle) = irq.location().ok().and_then(|location| location.handle) else {
            return;
        };
        match random % 4 {
            0 => {
                // Somebody else's device names this interrupt's entry.
                let stranger = RequesterId(function.requester.0 ^ 1);
                let message = Remappable {
                    handle,
                    subhandle: None,
                }
                .encode();
                let expected = FaultReason::SourceId;
                self.message(
                    "wrong requester",
                    world,
                    adi.function,
                    stranger,
                    message,
                    expected,
                );
            }
            1 => {
                let destination = Destination {
                    id: 0,
                    logical: false,
                    redirection_hint: false,
                };
                let message = Compatibility {
                    destination,
                    delivery: DeliveryMode::Fixed,
                    trigger: Trigger::Edge,
                    vector: 0x41,
                };
                let Ok(message) = message.encode(Addressing::Xapic) else {
                    return;
                };
                let expected = FaultReason::CompatibilityBlocked;
                let requester = function.requester;
                self.message(
                    "compatibility format",
                    world,
                    adi.function,
                    requester,
                    message,
                    expected,
                );
            }
            2 => {
                // Another interface names this interrupt to its own device.
                let stranger = Pasid::new(adi.pasid.get() ^ 1);
                let raised = world.host.fly(|flight| {
                    function
                        .domain
                        .port()
                        .raise(flight, 0, lane.index(), stranger)
                });
                self.wrong_pasid_raises += 1;
                self.note(
                    "wrong PASID (raise)",
                    raised == Raised::Refused(Refusal::Pasid),
                );
            }
            _ => {
                if let Some(stranger) = Pasid::new(adi.pasid.get() ^ 1) {
                    let refused = descriptor(world, adi.function, lane, stranger);
                    self.device_reports += 1;
                    self.note("wrong PASID (descriptor)", refused);
                }
            }
        }
        self.drain_records(world);
    }

    /// Names entries of interrupts that have been freed.
    pub(super) fn stale<S: Store>(&mut self, world: &World<S>, function: usize, handles: &[u16]) {
        let Some(requester) = world
            .functions
            .get(function)
            .map(|function| function.requester)
        else {
            return;
        };
        for &handle in handles {
            let message = Remappable {
                handle,
                subhandle: None,
            }
            .encode();
            let expected = FaultReason::NotPresent;
            self.message(
                "stale handle",
                world,
                function,
                requester,
                message,
                expected,
            );
        }
        self.drain_records(world);
    }

    fn message<S: Store>(
        &mut self,
        name: &'static str,
        world: &World<S>,
        function: usize,
        requester: RequesterId,
        message: Message,
        expected: FaultReason,
    ) {
        let Some(function) = world.functions.get(function) else {
            return;
        };
        let unit = function.unit.data();
        let answer = world.host.fly(|_| unit.send(requester, message));
        *self.faults.entry(expected).or_default() += 1;
        self.note(name, answer == Answer::Refused(Refusal::Fault(expected)));
    }

    fn note(&mut self, name: &'static str, refused: bool) {
        let attempts = self.attempts.entry(name).or_default();
        attempts.sent += 1;
        attempts.refused += u64::from(refused);
    }

    /// Reads the fault records, as a fault handler would, to make room.
    pub(super) fn drain_records<S: Store>(&mut self, world: &World<S>) {
        for function in &world.functions {
            while function.unit.data().faults().take().is_some() {
                self.recorded += 1;
            }
        }
    }
}

/// Submits a descriptor that names `lane`'s interrupt as `stranger`; says whether
/// it was refused with status 0x19.
fn descriptor<S: Store>(
    world: &World<S>,
    function: usize,
    lane: &super::lane::Lane,
    stranger: Pasid,
) -> bool {
    let Some(function) = world.functions.get(function) else {
        return false;
    };
    let vm = &lane.parts.vm;
    let record = GuestAddress(vm.base + world.scratch);
    if vm.memory.write_slice(&[0; 32], record).is_err() {
        return false;
    }
    let flags = Flags::RECORD_VALID | Flags::REQUEST_RECORD | Flags::REQUEST_INTERRUPT;
    let mut descriptor = Descriptor::new(Opcode::NoOp, flags);
    descriptor.completion = record.0.into();
    descriptor.handle = lane.handle().into();
    let client = client(vm, stranger);
    let start = Instant::now();
    while function
        .queues
        .submit(0, &client, PORTAL, &descriptor)
        .is_err()
    {
        if start.elapsed() > ANSWERED {
            return false;
        }
        std::thread::yield_now();
    }
    loop {
        match vm.memory.load::<u8>(record, Ordering::Acquire) {
            Ok(0) if start.elapsed() < ANSWERED => std::thread::sleep(Duration::from_micros(50)),
            Ok(status) => return status == Status::InvalidHandle.code(),
            Err(_) => return false,
        }
    }
}
