// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Both formats over their whole space.

use super::*;
use proptest::prelude::*;

fn addressing() -> impl Strategy<Value = Addressing> {
    prop_oneof![
        Just(Addressing::Xapic),
        Just(Addressing::Extended),
        Just(Addressing::X2apic)
    ]
}

/// Any message, with half of the bias on interrupt addresses and few data bits.
fn message() -> impl Strategy<Value = Message> {
    let address = prop_oneof![
        any::<u64>(),
        (0u64..1 << 20).prop_map(|low| 0xfee0_0000 | low),
        (any::<u32>(), 0u64..1 << 20)
            .prop_map(|(high, low)| u64::from(high) << 32 | 0xfee0_0000 | low),
        (0u64..1 << 24, 0u64..1 << 20).prop_map(|(high, low)| high << 40 | 0xfee0_0000 | low),
    ];
    let data = prop_oneof![any::<u32>(), 0u32..1 << 16, 0u32..1 << 11];
    (address, data).prop_map(|(address, data)| Message { address, data })
}

fn compatibility() -> impl Strategy<Value = Compatibility> {
    let id = prop_oneof![0u32..1 << 8, 0u32..1 << 15, any::<u32>()];
    let delivery = (0u8..8).prop_filter_map("reserved", DeliveryMode::from_bits);
    let trigger = prop_oneof![
        Just(Trigger::Edge),
        any::<bool>().prop_map(|assert| Trigger::Level { assert })
    ];
    (
        id,
        any::<bool>(),
        any::<bool>(),
        delivery,
        trigger,
        any::<u8>(),
    )
        .prop_map(
            |(id, logical, redirection_hint, delivery, trigger, vector)| Compatibility {
                destination: Destination {
                    id,
                    logical,
                    redirection_hint,
                },
                delivery,
                trigger,
                vector,
            },
        )
}

fn width(addressing: Addressing) -> u32 {
    match addressing {
        Addressing::Xapic => 8,
        Addressing::Extended => 15,
        Addressing::X2apic => 32,
    }
}

/// Address bits that a compatibility message must not set.
fn reserved_address(addressing: Addressing) -> u64 {
    match addressing {
        Addressing::Xapic => 0xffff_ffff_0000_0fe0,
        Addressing::Extended => 0xffff_ffff_0000_0000,
        Addressing::X2apic => 0x0000_00ff_0000_0fe0,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn what_decodes_encodes_to_the_same_meaning(message in message(), addressing in addressing()) {
        if let Ok(format) = message.decode(addressing) {
            let again = format.encode(addressing).unwrap();
            prop_assert_eq!(again.decode(addressing), Ok(format));
            // Only bits the specification ignores may differ.
            prop_assert_eq!(again.address, message.address & !3);
            match format {
                Format::Compatibility(Compatibility { trigger: Trigger::Edge, .. }) => {
                    prop_assert_eq!(again.data, message.data & !(1 << 14));
                }
                Format::Remappable(Remappable { subhandle: None, .. }) => {
                    prop_assert_eq!(again.data, 0);
                }
                _ => prop_assert_eq!(again.data, message.data),
            }
        }
    }

    #[test]
    fn decoding_refuses_exactly_what_is_reserved(message in message(), addressing in addressing()) {
        let Message { address, data } = message;
        let interrupt = address >> 20 & 0xfff == 0xfee;
        let valid = if address >> 4 & 1 == 1 {
            let shv = address >> 3 & 1 == 1;
            interrupt && address >> 32 == 0 && (!shv || data >> 16 == 0)
        } else {
            let mode = data >> 8 & 7;
            interrupt
                && address & reserved_address(addressing) == 0
                && data & 0xffff_3800 == 0
                && mode != 3
                && mode != 6
        };
        prop_assert_eq!(message.decode(addressing).is_ok(), valid);
    }

    #[test]
    fn a_compatibility_message_round_trips_if_its_destination_fits(
        value in compatibility(), addressing in addressing()
    ) {
        let id = value.destination.id;
        match value.encode(addressing) {
            Ok(message) => {
                prop_assert!(u64::from(id) < 1 << width(addressing));
                prop_assert_eq!(message.decode(addressing), Ok(Format::Compatibility(value)));
                prop_assert_eq!(message.remappable(), Ok(None));
            }
            Err(error) => {
                prop_assert!(u64::from(id) >= 1 << width(addressing));
                let expected = MessageError::DestinationTooWide { destination: id, addressing };
                prop_assert_eq!(error, expected);
            }
        }
    }

    #[test]
    fn a_remappable_message_round_trips_under_every_addressing(
        handle in any::<u16>(), subhandle in any::<Option<u16>>(), addressing in addressing()
    ) {
        let value = Remappable { handle, subhandle };
        let message = value.encode();
        prop_assert_eq!(message.remappable(), Ok(Some(value)));
        prop_assert_eq!(message.decode(addressing), Ok(Format::Remappable(value)));
        prop_assert_eq!(value.index(), u32::from(handle) + u32::from(subhandle.unwrap_or(0)));
    }

    #[test]
    fn each_reserved_bit_of_a_compatibility_message_is_refused_alone(
        value in compatibility(), addressing in addressing()
    ) {
        let mut value = value;
        value.destination.id &= u32::try_from((1u64 << width(addressing)) - 1).unwrap();
        let good = value.encode(addressing).unwrap();
        for bit in (0..64).filter(|bit| reserved_address(addressing) >> bit & 1 == 1) {
            let bad = Message { address: good.address | 1 << bit, ..good };
            let expected = if bit < 32 {
                MessageError::ReservedAddress { bits: 1 << bit }
            } else {
                MessageError::HighHalf { address: bad.address }
            };
            prop_assert_eq!(bad.decode(addressing), Err(expected));
        }
        for bit in (11..14).chain(16..32) {
            let bad = Message { data: good.data | 1 << bit, ..good };
            prop_assert_eq!(
                bad.decode(addressing),
                Err(MessageError::ReservedData { bits: 1 << bit })
            );
        }
        for mode in [3, 6] {
            let bad = Message { data: good.data & !0x700 | mode << 8, ..good };
            let mode = u8::try_from(mode).unwrap();
            prop_assert_eq!(
                bad.decode(addressing),
                Err(MessageError::ReservedDeliveryMode { mode })
            );
        }
    }

    #[test]
    fn each_reserved_bit_of_a_remappable_message_is_refused_alone(
        handle in any::<u16>(), subhandle in any::<u16>(), ignored in any::<u32>()
    ) {
        let good = Remappable { handle, subhandle: Some(subhandle) }.encode();
        for bit in 32..64 {
            let bad = Message { address: good.address | 1 << bit, ..good };
            prop_assert_eq!(
                bad.remappable(),
                Err(MessageError::HighHalf { address: bad.address })
            );
        }
        for bit in 16..32 {
            let bad = Message { data: good.data | 1 << bit, ..good };
            prop_assert_eq!(bad.remappable(), Err(MessageError::ReservedData { bits: 1 << bit }));
        }
        // Without a subhandle the data is nobody's.
        let plain = Remappable { handle, subhandle: None };
        let message = Message { data: ignored, ..plain.encode() };
        prop_assert_eq!(message.remappable(), Ok(Some(plain)));
    }

    #[test]
    fn each_bit_of_the_prefix_is_needed(value in compatibility(), bit in 20u32..32) {
        let good = value.encode(Addressing::X2apic).unwrap();
        let bad = Message { address: good.address ^ 1 << bit, ..good };
        let expected = Err(MessageError::NotInterrupt { address: bad.address });
        prop_assert_eq!(bad.decode(Addressing::X2apic), expected);
    }
}

#[test]
fn known_messages_have_their_known_bits() {
    let mut value = Compatibility {
        destination: Destination {
            id: 0x12,
            logical: false,
            redirection_hint: false,
        },
        delivery: DeliveryMode::Fixed,
        trigger: Trigger::Edge,
        vector: 0x41,
    };
    let encode = |value: &Compatibility, addressing| value.encode(addressing).unwrap();
    let xapic = Message {
        address: 0xfee1_2000,
        data: 0x41,
    };
    assert_eq!(encode(&value, Addressing::Xapic), xapic);
    value.destination = Destination {
        id: 0x1234_5678,
        logical: true,
        redirection_hint: true,
    };
    value.delivery = DeliveryMode::Nmi;
    value.trigger = Trigger::Level { assert: true };
    let x2apic = Message {
        address: 0x1234_5600_fee7_800c,
        data: 0xc441,
    };
    assert_eq!(encode(&value, Addressing::X2apic), x2apic);
    value.destination.id = 0x7fff;
    assert_eq!(encode(&value, Addressing::Extended).address, 0xfeef_ffec);

    let remappable = Remappable {
        handle: 0x8001,
        subhandle: Some(3),
    };
    assert_eq!(
        remappable.encode(),
        Message {
            address: 0xfee0_003c,
            data: 3
        }
    );
    assert_eq!(
        Remappable {
            handle: 0xffff,
            subhandle: Some(0xffff)
        }
        .index(),
        0x1_fffe
    );
}

#[test]
fn delivery_modes_have_their_encodings_and_three_and_six_are_reserved() {
    for bits in 0..=u8::MAX {
        let valid = matches!(bits, 0 | 1 | 2 | 4 | 5 | 7);
        assert_eq!(
            DeliveryMode::from_bits(bits).map(DeliveryMode::bits),
            valid.then_some(bits)
        );
    }
}
