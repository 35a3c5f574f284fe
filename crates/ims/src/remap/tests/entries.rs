// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Entries to bits and back.

use crate::message::{DeliveryMode, Destination, RequesterId};
use crate::remap::*;
use proptest::prelude::*;

fn source() -> impl Strategy<Value = Source> {
    let qualifier = prop_oneof![
        Just(Qualifier::Exact),
        Just(Qualifier::IgnoreBit2),
        Just(Qualifier::IgnoreBits2To1),
        Just(Qualifier::IgnoreBits2To0),
    ];
    prop_oneof![
        Just(Source::Any),
        (any::<u16>(), qualifier).prop_map(|(id, qualifier)| Source::Requester {
            id: RequesterId(id),
            qualifier
        }),
        (any::<u8>(), any::<u8>()).prop_map(|(a, b)| Source::BusRange {
            start: a.min(b),
            end: a.max(b)
        }),
    ]
}

/// Targets whose APIC ids have no bit outside `ids`.
fn target(ids: u32) -> impl Strategy<Value = Target> {
    let delivery = proptest::sample::select(
        &[
            DeliveryMode::Fixed,
            DeliveryMode::LowestPriority,
            DeliveryMode::Smi,
            DeliveryMode::Nmi,
            DeliveryMode::Init,
            DeliveryMode::ExtInt,
        ][..],
    );
    prop_oneof![
        (
            any::<u32>(),
            any::<(bool, bool, bool)>(),
            any::<u8>(),
            delivery
        )
            .prop_map(
                move |(id, (logical, redirection_hint, trigger_level), vector, delivery)| {
                    let destination = Destination {
                        id: id & ids,
                        logical,
                        redirection_hint,
                    };
                    Target::Remapped {
                        destination,
                        vector,
                        delivery,
                        trigger_level,
                    }
                }
            ),
        (any::<u64>(), any::<u8>(), any::<bool>()).prop_map(|(address, vector, urgent)| {
            Target::Posted {
                descriptor: address & !63,
                vector,
                urgent,
            }
        }),
    ]
}

proptest! {
    #[test]
    fn an_entry_comes_back_as_it_was_written(
        source in source(),
        fpd: bool,
        wide in target(u32::MAX),
        narrow in target(0xff),
    ) {
        for (mode, target) in [(ApicMode::X2apic, wide), (ApicMode::Xapic, narrow)] {
            let entry = Entry { source, fpd, target };
            let irte = entry.encode(mode).unwrap();
            prop_assert!(irte.is_present());
            prop_assert_eq!(irte.decode(mode), Ok(Some(entry)));
        }
    }

    #[test]
    fn whatever_decodes_means_the_same_when_written_again(raw: u128, extended: bool) {
        let mode = if extended { ApicMode::X2apic } else { ApicMode::Xapic };
        // Few random words have every reserved bit clear: clear them for one try.
        for raw in [raw, raw & !layout::REMAPPED_RESERVED & !layout::POSTED_RESERVED] {
            if let Ok(Some(entry)) = Irte(raw).decode(mode)
                && let Ok(again) = entry.encode(mode)
            {
                prop_assert_eq!(again.decode(mode), Ok(Some(entry)));
                // AVAIL is lost, and the part of the source that SVT leaves unused.
                let unused = 0xf << 8 | layout::SOURCE;
                prop_assert_eq!(again.0 & !unused, raw & !unused);
            }
        }
    }
}

#[test]
fn a_plain_entry_reads_as_the_specification_lays_it_out() {
    // Requester 00:05.0, fixed, physical, edge, APIC id 2, vector 22h.
    let raw = 0x0000_0000_0004_0028_0000_0002_0022_0001;
    let entry = Irte(raw).decode(ApicMode::X2apic).unwrap().unwrap();
    assert_eq!(entry.source, Source::exactly(RequesterId(0x28)));
    let destination = Destination {
        id: 2,
        logical: false,
        redirection_hint: false,
    };
    let delivery = DeliveryMode::Fixed;
    let target = Target::Remapped {
        destination,
        vector: 0x22,
        delivery,
        trigger_level: false,
    };
    assert_eq!(entry.target, target);
    assert_eq!(entry.encode(ApicMode::X2apic), Ok(Irte(raw)));
}

#[test]
fn every_reserved_bit_is_refused_and_no_available_one() {
    let modes = [ApicMode::X2apic, ApicMode::Xapic];
    for (form, reserved) in [
        (1u128, layout::REMAPPED_RESERVED),
        (0x8001, layout::POSTED_RESERVED),
    ] {
        for bit in (0..128).map(|bit| 1u128 << bit) {
            for mode in modes {
                let narrow = form == 1 && mode == ApicMode::Xapic;
                let mask = if narrow {
                    reserved | layout::XAPIC_RESERVED
                } else {
                    reserved
                };
                if mask & bit != 0 {
                    assert_eq!(Irte(form | bit).decode(mode), Err(EntryError::Reserved));
                }
                if bit & 0xf00 != 0 {
                    assert!(Irte(form | bit).decode(mode).unwrap().is_some());
                }
            }
        }
    }
    for reserved_value in [3u128 << 5 | 1, 6 << 5 | 1, 3 << 82 | 1] {
        assert_eq!(
            Irte(reserved_value).decode(ApicMode::X2apic),
            Err(EntryError::Reserved)
        );
    }
}

#[test]
fn what_does_not_fit_is_an_error() {
    let posted = |descriptor| Target::Posted {
        descriptor,
        vector: 1,
        urgent: false,
    };
    let entry = |source, target| Entry {
        source,
        fpd: false,
        target,
    };
    assert_eq!(
        entry(Source::Any, posted(96)).encode(ApicMode::X2apic),
        Err(EntryError::Unaligned { address: 96 })
    );
    assert_eq!(
        entry(Source::BusRange { start: 2, end: 1 }, posted(0)).encode(ApicMode::X2apic),
        Err(EntryError::EmptyBusRange { start: 2, end: 1 })
    );
    let far = Target::Remapped {
        destination: Destination {
            id: 256,
            logical: false,
            redirection_hint: false,
        },
        vector: 1,
        delivery: DeliveryMode::Fixed,
        trigger_level: false,
    };
    assert_eq!(
        entry(Source::Any, far).encode(ApicMode::Xapic),
        Err(EntryError::DestinationTooWide { id: 256 })
    );
    assert!(entry(Source::Any, far).encode(ApicMode::X2apic).is_ok());
}
