// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Descriptors from a guest that means no good.
use proptest::prelude::*;

use super::*;

/// Bytes that are a descriptor more often than chance makes them.
fn any_descriptor() -> impl Strategy<Value = [u8; DESCRIPTOR_SIZE]> {
    let opcodes: Vec<u8> = Opcode::ALL
        .iter()
        .map(|opcode| *opcode as u8)
        .chain([0x0a])
        .collect();
    let address = || prop_oneof![4 => 0..9 * PAGE, 2 => (0..9 * PAGE).prop_map(|a| a & !63), 1 => any::<u64>()];
    let flags = prop_oneof![2 => Just(0x0c), 1 => (0u32..0x80_0000).prop_map(|f| f & 0x7_7f9d), 1 => any::<u32>()];
    let blocks = (
        1u32..8,
        prop::sample::select(vec![8, 512, 520, 528, 4096, 4104, 4112]),
    );
    let blocks = blocks.prop_map(|(count, block)| count * block);
    let sized = prop_oneof![4 => 0u32..0x5000, 4 => blocks, 1 => 0u32..20, 1 => any::<u32>()];
    let operands = prop_oneof![3 => Just(0), 1 => address(), 1 => 0..400u64, 1 => any::<u64>()];
    let operands = [operands.clone(), operands.clone(), operands];
    let formed = (
        prop::sample::select(opcodes),
        flags,
        [address(), address(), address()],
        sized,
        operands,
    )
        .prop_map(
            |(opcode, flags, [completion, source, destination], size, [a, b, c])| {
                let descriptor = Descriptor {
                    extra: U64::new(a),
                    seed_address: U64::new(b),
                    tail: U64::new(c),
                    completion: U64::new(completion & !31),
                    source: U64::new(source),
                    destination: U64::new(destination),
                    size: U32::new(size),
                    ..Descriptor::new(opcode, Flags::from_bits(flags))
                };
                zerocopy::transmute!(descriptor)
            },
        );
    prop_oneof![4 => formed, 1 => prop::array::uniform::<_, DESCRIPTOR_SIZE>(any::<u8>())]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn no_descriptor_makes_an_engine_panic_and_each_one_ends(
        bytes in any_descriptor(),
        list in prop::collection::vec(any_descriptor(), 64),
        holes in prop::collection::hash_set(0u64..8, 0..3),
        granule in prop::sample::select(vec![1, 32, 64, PAGE]),
    ) {
        let space = Paged { missing: holes, granule, ..Paged::new(8) };
        for (at, one) in (0..).zip(&list) {
            space.put(at * 512 , one);
        }
        let (space, recorder) = (Arc::new(space), Recorder::default());
        let descriptor = Descriptor::from_bytes(&bytes);
        let before = descriptor.completion.get();
        let told = descriptor.flags().contains(Flags::RECORD_VALID | Flags::REQUEST_RECORD);
        let status = run_in(&space, &recorder, &descriptor);
        prop_assert!(status.is_some());
        let logged = !recorder.errors.lock().unwrap().is_empty();
        if told && !logged && space.window(before, 32, Access::Read).is_ok() {
            prop_assert_eq!(Some(space.record(before).status & 0x3f), status.map(Status::code));
        }
    }
}
