// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A guest's vCPUs as CPUs of the run's host: where its remap units deliver.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ims::message::{DeliveryMode, Destination};
use ims::sink::{Acceptance, Answer, CpuSink, Refusal};
use ims::vector::CpuId;
use ims_host::ForeignCpus;
use ims_kvm::machine::{self, Machine};
use ims_kvm::{Composer, Signal, Signalled, Vcpus};

use super::Account;

/// Vectors of a vCPU, each with a word of pending bits.
const VECTORS: u32 = 256;
/// Sources that a word has room for.
const SOURCES: u32 = 64;
/// The bit of a word that is used.
pub(super) const PENDING: u64 = 1;

/// Vectors that the guest keeps for itself: no interrupt is given one.
pub(super) fn own_vectors() -> Vec<u8> {
    (0..=u8::MAX)
        .filter(|vector| !machine::VECTORS.contains(vector))
        .collect()
}

/// The words that so many vCPUs need.
pub(super) fn words(vcpus: u32) -> u32 {
    vcpus.saturating_mul(VECTORS)
}

/// The word of pending bits of one place.
pub(super) fn word(cpu: u32, vector: u8) -> u32 {
    cpu.saturating_mul(VECTORS)
        .saturating_add(u32::from(vector))
}

/// The source that stands for one place.
pub(super) fn source(cpu: u32, vector: u8) -> u32 {
    word(cpu, vector).saturating_mul(SOURCES)
}

/// The vCPUs of one guest.
pub(super) struct GuestCpus {
    machine: Machine,
    vcpus: Vcpus,
    /// By word: bits set anew whose message KVM took.
    sent: Vec<AtomicU64>,
}

impl GuestCpus {
    /// Those of `machine`, whose handlers scan their own places from now on.
    pub(super) fn new(machine: Machine) -> Self {
        let config = machine.config();
        for cpu in 0..config.vcpus {
            for vector in machine::VECTORS {
                machine.scan(cpu, vector, word(cpu, vector), 1);
            }
        }
        let composer = Composer {
            addressing: machine.addressing(),
            device_ids: false,
        };
        let signal = Signal::new(Arc::clone(machine.vm()), composer);
        Self {
            machine,
            vcpus: Vcpus::new(signal),
            sent: (0..words(config.vcpus))
                .map(|_| AtomicU64::new(0))
                .collect(),
        }
    }

    pub(super) fn machine(&self) -> &Machine {
        &self.machine
    }

    /// What KVM said to the messages.
    pub(super) fn signalled(&self) -> Signalled {
        self.vcpus.signal().signalled()
    }

    /// What is told of vCPUs that run no more.
    pub(super) fn stopped(&self) -> impl Iterator<Item = String> {
        let cpus = 0..self.machine.config().vcpus;
        cpus.filter_map(|cpu| {
            let why = self.machine.stopped(cpu)?;
            Some(format!("vCPU {cpu} has stopped: {why}"))
        })
    }

    /// Every place that was sent to or whose handler ran.
    pub(super) fn accounts(&self) -> impl Iterator<Item = Account> {
        let cpus = 0..self.machine.config().vcpus;
        let places = cpus.flat_map(|cpu| machine::VECTORS.map(move |vector| (cpu, vector)));
        places.filter_map(|(cpu, vector)| self.account(cpu, vector))
    }

    fn account(&self, cpu: u32, vector: u8) -> Option<Account> {
        let sent = self.sent.get(word(cpu, vector) as usize)?;
        let sent = sent.load(Ordering::Relaxed);
        let runs = self.machine.interrupts(cpu, vector);
        let first = source(cpu, vector);
        let pending = self.machine.is_posted(first);
        (sent > 0 || runs > 0 || pending).then(|| Account {
            cpu,
            vector,
            sent,
            counted: self.machine.taken(first),
            runs,
            empty: self.machine.empty(cpu, vector),
            pending,
        })
    }
}

impl ForeignCpus for GuestCpus {
    fn deliver(&self, cpu: CpuId, vector: u8, mode: DeliveryMode) -> Answer {
        let CpuId(cpu) = cpu;
        let Some(sent) = self.sent.get(word(cpu, vector) as usize) else {
            return Answer::Refused(Refusal::NoSuchCpu);
        };
        if !self.machine.post(source(cpu, vector)) {
            // Whoever set the bit sends its message after that, and only a handler
            // clears it. So a handler is still to take the bit, and what was
            // written before this post it will see: the post is a locked
            // instruction on the very word it takes.
            return Answer::Accepted(Acceptance::Coalesced);
        }
        let destination = Destination {
            id: self.machine.apic_id(cpu),
            logical: false,
            redirection_hint: false,
        };
        match self.vcpus.deliver(destination, vector, mode) {
            // Whatever KVM made of the message: if the vector was requested
            // already, its handler has not begun; if it was in service, it runs
            // again. A handler of the message before may be quicker and take the
            // bit; then the one of this message finds nothing, and says so.
            Answer::Accepted(_) => {
                sent.fetch_add(1, Ordering::Relaxed);
                Answer::Accepted(Acceptance::Fresh)
            }
            // A vCPU that takes no messages is never quiet again, and the run fails.
            not_accepted => not_accepted,
        }
    }

    fn is_quiet(&self, cpu: CpuId, vector: u8) -> bool {
        let CpuId(cpu) = cpu;
        // In this order: a handler says that it is at work before it takes the bit,
        // and until its exit has returned. So if the bit is clear, whoever took
        // what was posted is seen at work or has finished.
        !self.machine.is_posted(source(cpu, vector)) && !self.machine.in_handler(cpu, vector)
    }
}
