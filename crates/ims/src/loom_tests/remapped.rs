// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A bench whose port sends through the real remap unit into two descriptors.

use alloc::sync::Arc;

use super::bench::{Bench, descriptor};
use crate::message::{DeliveryMode, Destination, Remappable, RequesterId};
use crate::posted::{Descriptor, Descriptors};
use crate::remap::{Control, Modes, NoInvalidate, PairTable, Source, Target, Unit};
use crate::sink::{Acceptance, Answer, CpuSink};
use crate::store::CookieUse;
use crate::store::table::{OwnMemory, Table};

/// The requester that every bench's port sends as.
pub(super) const OWNER: RequesterId = RequesterId(0);
/// Somebody else.
pub(super) const STRANGER: RequesterId = RequesterId(0x200);

pub(super) const OLD: Target = Target::Posted {
    descriptor: 0,
    vector: 0x40,
    urgent: false,
};
pub(super) const NEW: Target = Target::Posted {
    descriptor: 64,
    vector: 0x41,
    urgent: false,
};

/// A CPU sink that takes every notification.
#[derive(Debug, Clone)]
pub(super) struct Notified;

impl CpuSink for Notified {
    fn deliver(&self, _: Destination, _: u8, _: DeliveryMode) -> Answer {
        Answer::Accepted(Acceptance::Fresh)
    }
}

/// The descriptors that [`OLD`] and [`NEW`] lead to.
#[derive(Debug)]
pub(super) struct Two {
    pub(super) old: Arc<Descriptor>,
    pub(super) new: Arc<Descriptor>,
}

impl Two {
    /// Whether the interrupt is pending at the old place, and at the new.
    pub(super) fn pending(&self) -> (bool, bool) {
        (self.old.is_pending(0x40), self.new.is_pending(0x41))
    }
}

impl Descriptors for Two {
    fn descriptor(&self, address: u64) -> Option<&Descriptor> {
        match address {
            0 => Some(&self.old),
            64 => Some(&self.new),
            _ => None,
        }
    }
}

pub(super) type Remapped = Bench<Table<OwnMemory>, Unit<PairTable, Notified, Arc<Two>>>;

/// An unmasked slot 0, whose message names handle 0, which leads to [`OLD`].
pub(super) fn remapped() -> (Remapped, Control<PairTable>, Arc<Two>) {
    let two = Arc::new(Two {
        old: descriptor(),
        new: descriptor(),
    });
    let table = PairTable::new(2);
    let mut control = Control::new(table, Modes::x2apic(2), 0, NoInvalidate).unwrap();
    assert_eq!(control.allocate(), Ok(0));
    control.bind(0, Source::exactly(OWNER), OLD).unwrap();
    let unit = control.unit(Notified, Arc::clone(&two));
    let message = Remappable {
        handle: 0,
        subhandle: None,
    };
    let store = Table::new(1, CookieUse::Opaque);
    let mut bench = Bench::programmed(store, unit, message.encode());
    bench.unmask();
    (bench, control, two)
}
