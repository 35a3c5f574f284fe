// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Delivery without a route: each message is a call of its own.

use std::sync::Arc;

use ims::message::{Message, RequesterId};
use ims::sink::{Acceptance, Answer, MessageSink, Refusal};
use ims::sync::{AtomicU64, Ordering};
use kvm_ioctls::VmFd;
use rustix::io::Errno;

use crate::kvm_message::Composer;
use crate::vm::Vm;

/// Sends messages to a VM by `KVM_SIGNAL_MSI`: no GSI, no eventfd, no limit on how
/// many senders there are. A clone is the same sender.
///
/// KVM says whether an APIC took a message; it does not tell which ones it
/// coalesced, so an accepted one counts as handed over.
///
/// # Concurrency
/// Any number of threads; one system call, no lock of this process.
#[derive(Debug)]
pub struct Signal<V = VmFd> {
    vm: Arc<V>,
    composer: Composer,
    counts: Arc<Verdicts>,
}

/// KVM's verdicts since the sender was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Signalled {
    /// Taken by an APIC.
    pub accepted: u64,
    /// Taken by none: no such vCPU, or its APIC is off.
    pub refused: u64,
    /// Errors, among them messages that are none.
    pub failed: u64,
}

/// The verdicts, counted by all clones.
#[derive(Debug, Default)]
struct Verdicts {
    accepted: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
}

impl<V> Clone for Signal<V> {
    fn clone(&self) -> Self {
        Self {
            vm: Arc::clone(&self.vm),
            composer: self.composer,
            counts: Arc::clone(&self.counts),
        }
    }
}

impl<V: Vm> Signal<V> {
    /// Sends to `vm` what `composer` makes of messages.
    pub fn new(vm: Arc<V>, composer: Composer) -> Self {
        Self {
            vm,
            composer,
            counts: Arc::default(),
        }
    }

    /// How messages are put into KVM's form.
    pub fn composer(&self) -> Composer {
        self.composer
    }

    /// KVM's verdicts so far.
    pub fn signalled(&self) -> Signalled {
        Signalled {
            accepted: self.counts.accepted.load(Ordering::Relaxed),
            refused: self.counts.refused.load(Ordering::Relaxed),
            failed: self.counts.failed.load(Ordering::Relaxed),
        }
    }

    #[cold]
    fn failed(&self, refusal: Refusal) -> Answer {
        self.counts.failed.fetch_add(1, Ordering::Relaxed);
        Answer::Refused(refusal)
    }
}

impl<V: Vm> MessageSink for Signal<V> {
    fn send(&self, requester: RequesterId, message: Message) -> Answer {
        let Ok(message) = self.composer.message(requester, message) else {
            return self.failed(Refusal::Malformed);
        };
        match self.vm.signal(message) {
            Ok(true) => {
                self.counts.accepted.fetch_add(1, Ordering::Relaxed);
                Answer::Accepted(Acceptance::HandedOver)
            }
            // KVM says "not permitted" where it has no map of APICs to look into.
            Ok(false) | Err(Errno::PERM) => {
                self.counts.refused.fetch_add(1, Ordering::Relaxed);
                Answer::Refused(Refusal::NoSuchCpu)
            }
            Err(Errno::INVAL) => self.failed(Refusal::Malformed),
            Err(_) => self.failed(Refusal::Gone),
        }
    }
}
