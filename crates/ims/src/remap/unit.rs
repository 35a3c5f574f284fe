// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The data half: takes messages, checks them against the table, and delivers.

use super::Shared;
use super::entry::{Irte, Target};
use super::fault::{Fault, FaultLog};
use super::modes::Modes;
use super::reason::FaultReason;
use super::table::EntryMemory;
use crate::message::{
    Addressing, Compatibility, DeliveryMode, Destination, Format, Message, MessageError,
    RequesterId, Trigger,
};
use crate::posted::{Descriptor, Descriptors};
use crate::sink::{Acceptance, Answer, CpuSink, MessageSink, Refusal};
use crate::sync::{AtomicU64, Ordering};
use alloc::sync::Arc;

/// The data half of a remap unit, in front of a CPU sink and a set of posted
/// descriptors. Made by [`super::Control::unit`] or [`super::Foreign::unit`].
///
/// # Concurrency
/// Any number of threads send; clones share table, modes, faults and counts.
/// A sender must be counted by the grace period that the control half waits for
/// before it reuses a cleared entry ([`crate::grace`]).
///
/// # Order of checks
/// VT-d 5.1.4: remapping on (else 2Bh or passed), EIME where required (2Ah), an
/// interrupt request at all (29h), compatibility format (25h or passed), reserved
/// bits (20h), index (21h), entry read (23h), present (22h), requester (26h),
/// reserved bits of the entry (24h), posted descriptor (27h).
///
/// # Busy
/// A remapped interrupt is the CPU sink's to answer, busy included. A posted
/// interrupt is accepted once its pending bit is set, whatever becomes of the
/// notification; to refuse it then would have it seen twice. So a CPU sink
/// behind a unit must not lose a notification: if it answers busy to one (fixed
/// mode, physical destination), it owes that CPU the notification as soon as it
/// can. One bit a CPU is enough to remember it, since a notification says only
/// "look". One it refuses is for a CPU that is gone, and the pending bits stay for
/// whoever owns the descriptor. Both are counted ([`Unit::notifications_not_taken`]).
#[derive(Debug)]
pub struct Unit<M, C, D> {
    shared: Arc<Shared<M>>,
    notifications_not_taken: Arc<AtomicU64>,
    cpus: C,
    descriptors: D,
}

impl<M, C: Clone, D: Clone> Clone for Unit<M, C, D> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
            notifications_not_taken: self.notifications_not_taken.clone(),
            cpus: self.cpus.clone(),
            descriptors: self.descriptors.clone(),
        }
    }
}

/// Where a message that passed goes.
enum Route<'a> {
    Cpu {
        destination: Destination,
        vector: u8,
        delivery: DeliveryMode,
    },
    Descriptor {
        descriptor: &'a Descriptor,
        vector: u8,
        urgent: bool,
    },
}

/// Why a message did not pass.
enum Blocked {
    /// A fault of remapping. `fpd`: its entry asks not to record it.
    Fault {
        reason: FaultReason,
        index: u32,
        fpd: bool,
    },
    /// Nothing of remapping: it is off.
    Unmapped(Refusal),
}

impl Blocked {
    /// Blocked before an entry was looked at.
    const fn unqualified(reason: FaultReason, index: u32) -> Self {
        Self::Fault {
            reason,
            index,
            fpd: false,
        }
    }
}

impl<M, C, D> Unit<M, C, D> {
    pub(super) fn new(shared: Arc<Shared<M>>, cpus: C, descriptors: D) -> Self {
        Self {
            shared,
            notifications_not_taken: Arc::new(AtomicU64::new(0)),
            cpus,
            descriptors,
        }
    }

    /// The unit's fault records and counts.
    pub fn faults(&self) -> &FaultLog {
        &self.shared.faults
    }

    /// The modes it works in now.
    pub fn modes(&self) -> Modes {
        self.shared.modes.load()
    }

    /// How many notifications of posted descriptors the CPU sink answered busy
    /// or refused, over all clones of this unit.
    pub fn notifications_not_taken(&self) -> u64 {
        self.notifications_not_taken.load(Ordering::Relaxed)
    }
}

// Inlined always, as is what they call: out of line, each result passes through
// memory, which costs a third of the whole path.
impl<M: EntryMemory, C: CpuSink, D: Descriptors> Unit<M, C, D> {
    #[inline(always)]
    fn route(&self, requester: RequesterId, message: Message) -> Result<Route<'_>, Blocked> {
        let modes = self.shared.modes.load();
        if !modes.remapping() {
            return unmapped(modes, message);
        }
        if modes.extended_required() && !modes.extended() {
            return Err(Blocked::unqualified(FaultReason::ExtendedModeRequired, 0));
        }
        match message.remappable() {
            Ok(Some(request)) => self.remapped(modes, requester, request.index()),
            Ok(None) => compatibility(modes, message),
            Err(MessageError::ReservedData { .. }) => {
                Err(Blocked::unqualified(FaultReason::RequestReserved, 0))
            }
            Err(_) => Err(Blocked::unqualified(FaultReason::MalformedRequest, 0)),
        }
    }

    #[inline(always)]
    fn remapped(
        &self,
        modes: Modes,
        requester: RequesterId,
        index: u32,
    ) -> Result<Route<'_>, Blocked> {
        if index >= modes.entries() {
            return Err(Blocked::unqualified(FaultReason::IndexBeyondTable, index));
        }
        let Some(entry) = self.shared.memory.read(index).map(Irte) else {
            return Err(Blocked::unqualified(FaultReason::EntryAccess, index));
        };
        let fpd = entry.fault_processing_disabled();
        let blocked = |reason| Blocked::Fault { reason, index, fpd };
        if !entry.is_present() {
            return Err(blocked(FaultReason::NotPresent));
        }
        let source = entry
            .source()
            .map_err(|_| blocked(FaultReason::EntryReserved))?;
        if !source.admits(requester) {
            return Err(blocked(FaultReason::SourceId));
        }
        match entry
            .target(modes.apic_mode())
            .map_err(|_| blocked(FaultReason::EntryReserved))?
        {
            Target::Remapped {
                destination,
                vector,
                delivery,
                ..
            } => Ok(Route::Cpu {
                destination,
                vector,
                delivery,
            }),
            Target::Posted {
                descriptor,
                vector,
                urgent,
            } => self
                .descriptors
                .descriptor(descriptor)
                .map(|descriptor| Route::Descriptor {
                    descriptor,
                    vector,
                    urgent,
                })
                .ok_or_else(|| blocked(FaultReason::DescriptorAccess)),
        }
    }

    #[inline(always)]
    fn post(&self, descriptor: &Descriptor, vector: u8, urgent: bool) -> Answer {
        let posted = descriptor.post(vector, urgent);
        if let Some(notification) = posted.notify {
            let destination = Destination {
                id: notification.destination,
                logical: false,
                redirection_hint: false,
            };
            match self
                .cpus
                .deliver(destination, notification.vector, DeliveryMode::Fixed)
            {
                Answer::Accepted(_) => {}
                Answer::Busy | Answer::Refused(_) => {
                    self.notifications_not_taken.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        Answer::Accepted(if posted.coalesced {
            Acceptance::Coalesced
        } else {
            Acceptance::Fresh
        })
    }

    #[cold]
    fn refuse(&self, requester: RequesterId, blocked: Blocked) -> Answer {
        Answer::Refused(match blocked {
            Blocked::Fault { reason, index, fpd } => {
                let index = (index & 0xffff) as u16;
                self.shared.faults.raise(
                    Fault {
                        reason,
                        requester,
                        index,
                    },
                    fpd,
                );
                Refusal::Fault(reason)
            }
            Blocked::Unmapped(refusal) => refusal,
        })
    }
}

/// What becomes of a message while remapping is off.
#[cold]
fn unmapped<'a>(modes: Modes, message: Message) -> Result<Route<'a>, Blocked> {
    if modes.remapping_required() {
        return Err(Blocked::unqualified(FaultReason::RemappingRequired, 0));
    }
    passed(message)
}

/// What becomes of a compatibility format request while remapping is on.
#[cold]
fn compatibility<'a>(modes: Modes, message: Message) -> Result<Route<'a>, Blocked> {
    if message.address >> 32 != 0 {
        return Err(Blocked::unqualified(FaultReason::MalformedRequest, 0));
    }
    if modes.compatibility() && !modes.extended() {
        passed(message)
    } else {
        Err(Blocked::unqualified(FaultReason::CompatibilityBlocked, 0))
    }
}

/// A compatibility format request that is not remapped; nothing else passes.
fn passed<'a>(message: Message) -> Result<Route<'a>, Blocked> {
    let refused = |refusal| Err(Blocked::Unmapped(refusal));
    match message.decode(Addressing::Extended) {
        // A level taken back delivers nothing, and CPU sinks take edges.
        Ok(Format::Compatibility(Compatibility {
            trigger: Trigger::Level { assert: false },
            ..
        }))
        | Err(MessageError::ReservedDeliveryMode { .. }) => refused(Refusal::Mode),
        Ok(Format::Compatibility(Compatibility {
            destination,
            delivery,
            vector,
            ..
        })) => Ok(Route::Cpu {
            destination,
            vector,
            delivery,
        }),
        Ok(Format::Remappable(_)) | Err(_) => refused(Refusal::Malformed),
    }
}

impl<M: EntryMemory, C: CpuSink, D: Descriptors> MessageSink for Unit<M, C, D> {
    #[inline(always)]
    fn send(&self, requester: RequesterId, message: Message) -> Answer {
        match self.route(requester, message) {
            Ok(Route::Descriptor {
                descriptor,
                vector,
                urgent,
            }) => self.post(descriptor, vector, urgent),
            Ok(Route::Cpu {
                destination,
                vector,
                delivery,
            }) => self.cpus.deliver(destination, vector, delivery),
            Err(blocked) => self.refuse(requester, blocked),
        }
    }

    /// Asks the CPU sink the message would reach now. A message that would be
    /// refused or posted never finds it busy: let it come.
    fn ready(&self, requester: RequesterId, message: Message) -> bool {
        match self.route(requester, message) {
            Ok(Route::Cpu { destination, .. }) => self.cpus.ready(destination),
            Ok(Route::Descriptor { .. }) | Err(_) => true,
        }
    }
}
