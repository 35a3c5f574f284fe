// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The machine below the stack: CPUs that are reached by APIC id or by posted
//! descriptor, the memory of a remap table, and what can be made to fail.

use crate::domain::{Cpus, Reach};
use crate::message::{DeliveryMode, Destination, Message, RequesterId};
use crate::posted::{Descriptor, Descriptors, Notification};
use crate::remap::{EntryMemory, Invalidate, InvalidateError, PairTable, TableError, Unit};
use crate::sink::{Acceptance, Answer, CpuSink, MessageSink, Refusal};
use crate::store::StoreError;
use crate::store::context::ContextCommands;
use crate::vector::CpuId;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// APIC ids do not equal CPU numbers, so that nobody mixes them up.
pub(super) const FIRST_APIC: u32 = 0x10;
/// Nor do the addresses of descriptors.
const FIRST_DESCRIPTOR: u64 = 0x4_0000;

/// One CPU: what is pending, and whether it is handling any of it.
#[derive(Debug)]
pub(super) struct Cpu {
    pub(super) pending: Descriptor,
    /// Odd from before a harvest until its handlers are done.
    pub(super) cycle: AtomicU64,
}

impl Cpu {
    fn new() -> Self {
        let pending = Descriptor::new(Notification {
            destination: 0,
            vector: 0,
        });
        pending.suppress();
        Self {
            pending,
            cycle: AtomicU64::new(0),
        }
    }

    pub(super) fn is_quiet(&self, vector: u8) -> bool {
        !self.pending.is_pending(vector) && self.cycle.load(Ordering::Acquire).is_multiple_of(2)
    }
}

/// Host CPUs and a guest's virtual CPUs.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) host: Vec<Cpu>,
    pub(super) guest: Vec<Cpu>,
    /// CPUs (a bit each, of either space) that cannot be reached.
    pub(super) unreachable: AtomicU64,
    /// Descriptors are named by addresses above 4 GiB.
    pub(super) high: AtomicBool,
    /// APIC ids need more than eight bits.
    pub(super) wide: AtomicBool,
    /// Host CPUs take nothing now.
    pub(super) busy: AtomicBool,
}

impl Machine {
    pub(super) fn new(cpus: u32) -> Self {
        let bank = || (0..cpus).map(|_| Cpu::new()).collect();
        Self {
            host: bank(),
            guest: bank(),
            unreachable: AtomicU64::new(0),
            high: AtomicBool::new(false),
            wide: AtomicBool::new(false),
            busy: AtomicBool::new(false),
        }
    }

    fn is_unreachable(&self, cpu: CpuId) -> bool {
        self.unreachable.load(Ordering::Relaxed) >> cpu.0 & 1 == 1
    }
}

impl Descriptors for Machine {
    fn descriptor(&self, address: u64) -> Option<&Descriptor> {
        let at = usize::try_from(address.checked_sub(FIRST_DESCRIPTOR)? / 64).ok()?;
        self.guest.get(at).map(|cpu| &cpu.pending)
    }
}

/// The host's CPUs as a vector space.
pub(super) struct HostCpus(pub Arc<Machine>);
/// The guest's as another.
pub(super) struct GuestCpus(pub Arc<Machine>);

impl Cpus for HostCpus {
    fn reach(&self, cpu: CpuId) -> Option<Reach> {
        if self.0.is_unreachable(cpu) {
            return None;
        }
        let wide = if self.0.wide.load(Ordering::Relaxed) {
            1 << 20
        } else {
            0
        };
        Some(Reach::Apic(Destination {
            id: wide + FIRST_APIC + cpu.0,
            logical: false,
            redirection_hint: false,
        }))
    }

    fn is_quiet(&self, cpu: CpuId, vector: u8) -> bool {
        self.0
            .host
            .get(cpu.0 as usize)
            .is_none_or(|cpu| cpu.is_quiet(vector))
    }
}

impl Cpus for GuestCpus {
    fn reach(&self, cpu: CpuId) -> Option<Reach> {
        let high = if self.0.high.load(Ordering::Relaxed) {
            1 << 32
        } else {
            0
        };
        (!self.0.is_unreachable(cpu)).then(|| Reach::Posted {
            descriptor: high + FIRST_DESCRIPTOR + u64::from(cpu.0) * 64,
        })
    }

    fn is_quiet(&self, cpu: CpuId, vector: u8) -> bool {
        self.0
            .guest
            .get(cpu.0 as usize)
            .is_none_or(|cpu| cpu.is_quiet(vector))
    }
}

/// The host's local APICs.
#[derive(Debug, Clone)]
pub(super) struct Apics(pub Arc<Machine>);

impl CpuSink for Apics {
    fn deliver(&self, destination: Destination, vector: u8, mode: DeliveryMode) -> Answer {
        assert_eq!(mode, DeliveryMode::Fixed);
        assert!(!destination.logical);
        if self.0.busy.load(Ordering::SeqCst) {
            return Answer::Busy;
        }
        let at = destination.id.checked_sub(FIRST_APIC).map(|at| at as usize);
        let Some(cpu) = at.and_then(|at| self.0.host.get(at)) else {
            return Answer::Refused(Refusal::NoSuchCpu);
        };
        Answer::Accepted(if cpu.pending.post(vector, false).coalesced {
            Acceptance::Coalesced
        } else {
            Acceptance::Fresh
        })
    }

    fn ready(&self, _destination: Destination) -> bool {
        !self.0.busy.load(Ordering::SeqCst)
    }
}

/// A remap table that counts its writes.
#[derive(Debug)]
pub(super) struct Entries {
    table: PairTable,
    pub(super) writes: AtomicU32,
}

impl Entries {
    pub(super) fn new(limit: u32) -> Self {
        Self {
            table: PairTable::new(limit),
            writes: AtomicU32::new(0),
        }
    }
}

impl EntryMemory for Entries {
    fn read(&self, handle: u32) -> Option<u128> {
        self.table.read(handle)
    }
    fn write(&self, handle: u32, entry: u128) -> Result<(), TableError> {
        self.table.write(handle, entry)?;
        self.writes.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
    fn grow(&self, count: u32) -> Result<u32, TableError> {
        self.table.grow(count)
    }
    fn limit(&self) -> u32 {
        self.table.limit()
    }
}

/// A step that fails: the `n`-th from now (1 is the next), and then as many as
/// `times` in a row.
#[derive(Debug, Clone, Default)]
pub(super) struct Failing {
    pub(super) after: Arc<AtomicU32>,
    pub(super) times: Arc<AtomicU32>,
}

impl Failing {
    pub(super) fn arm(&self, nth: u32, times: u32) {
        self.after.store(nth, Ordering::Relaxed);
        self.times.store(times, Ordering::Relaxed);
    }

    pub(super) fn disarm(&self) {
        self.times.store(0, Ordering::Relaxed);
    }

    fn fails(&self) -> bool {
        let times = self.times.load(Ordering::Relaxed);
        if times == 0 {
            return false;
        }
        let after = self.after.load(Ordering::Relaxed);
        if after > 1 {
            self.after.store(after - 1, Ordering::Relaxed);
            return false;
        }
        self.times.store(times - 1, Ordering::Relaxed);
        true
    }
}

impl ContextCommands for Failing {
    fn invalidate(&mut self, contexts: &[u32]) -> Result<(), StoreError> {
        assert!(!contexts.is_empty());
        if self.fails() {
            Err(StoreError::Command)
        } else {
            Ok(())
        }
    }
}

impl Invalidate for Failing {
    fn invalidate(&mut self, _first: u32, _count: u32) -> Result<(), InvalidateError> {
        if self.fails() {
            Err(InvalidateError::Timeout)
        } else {
            Ok(())
        }
    }
}

/// A remap unit's data half, and who sent to it last.
#[derive(Debug, Clone)]
pub(super) struct Watched {
    pub(super) unit: Unit<Arc<Entries>, Apics, Arc<Machine>>,
    pub(super) last: Arc<AtomicU32>,
}

impl MessageSink for Watched {
    fn send(&self, requester: RequesterId, message: Message) -> Answer {
        self.last.store(requester.0.into(), Ordering::Relaxed);
        self.unit.send(requester, message)
    }
    fn ready(&self, requester: RequesterId, message: Message) -> bool {
        self.unit.ready(requester, message)
    }
}
