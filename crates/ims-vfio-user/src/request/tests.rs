// SPDX-License-Identifier: Apache-2.0 OR MIT
use super::*;
use ims_vfio::layout::irq_set::{
    ACTION_MASK, ACTION_TRIGGER, ACTION_UNMASK, DATA_BOOL, DATA_EVENTFD, DATA_NONE,
};
use proptest::prelude::*;
use zerocopy::IntoBytes;

fn header(command: u16) -> Header {
    Header {
        command,
        ..Header::default()
    }
}

fn set(flags: u32, index: u32, start: u32, count: u32) -> SetIrqs {
    SetIrqs {
        argsz: 20,
        flags,
        index,
        start,
        count,
    }
}

fn ask(set: SetIrqs, bytes: &[u8], fds: usize) -> bool {
    let body = [set.as_bytes(), bytes].concat();
    match read(&header(command::DEVICE_SET_IRQS), &body, fds) {
        Ok(Request::SetIrqs(read, data)) => {
            assert_eq!((read, data), (set, bytes));
            true
        }
        Ok(other) => panic!("{other:?}"),
        Err(refusal) => {
            assert_eq!(refusal, Refusal(Errno::INVAL));
            false
        }
    }
}

#[test]
fn every_rule_of_the_reference_server_for_setting_interrupts_refuses() {
    let trigger = DATA_EVENTFD | ACTION_TRIGGER;
    // Sound ones.
    assert!(ask(set(trigger, irq::MSIX, 0, 2), &[], 2));
    assert!(ask(set(trigger, irq::MSIX, 3, 4), &[], 0));
    assert!(ask(
        set(DATA_NONE | ACTION_TRIGGER, irq::MSIX, 0, 0),
        &[],
        0
    ));
    assert!(ask(set(DATA_BOOL | ACTION_MASK, irq::INTX, 0, 1), &[1], 0));
    assert!(ask(set(DATA_NONE | ACTION_UNMASK, irq::INTX, 0, 1), &[], 0));
    // 1: too short, or says so.
    let short = set(trigger, irq::MSIX, 0, 1);
    let body = &short.as_bytes()[..19];
    let refused = read(&header(command::DEVICE_SET_IRQS), body, 0);
    assert_eq!(refused, Err(Refusal(Errno::INVAL)));
    assert!(!ask(SetIrqs { argsz: 19, ..short }, &[], 1));
    // 2: bytes that are not one for each.
    assert!(!ask(
        set(DATA_BOOL | ACTION_TRIGGER, irq::MSIX, 0, 2),
        &[1],
        0
    ));
    assert!(!ask(
        set(DATA_BOOL | ACTION_TRIGGER, irq::MSIX, 0, 2),
        &[1; 3],
        0
    ));
    assert!(!ask(set(trigger, irq::MSIX, 0, 1), &[1], 1));
    // 3: no such index.
    assert!(!ask(set(trigger, irq::COUNT, 0, 1), &[], 1));
    // 4, 5: not exactly one action, one type of data; unknown flags.
    assert!(!ask(set(DATA_EVENTFD, irq::MSIX, 0, 1), &[], 1));
    assert!(!ask(set(trigger | ACTION_MASK, irq::MSIX, 0, 1), &[], 1));
    assert!(!ask(set(ACTION_TRIGGER, irq::MSIX, 0, 1), &[], 0));
    assert!(!ask(set(trigger | DATA_NONE, irq::MSIX, 0, 1), &[], 1));
    assert!(!ask(set(trigger | 1 << 6, irq::MSIX, 0, 1), &[], 1));
    // 8, 9: what has one interrupt is triggered, one at a time.
    for lone in [irq::ERR, irq::REQ] {
        assert!(ask(set(trigger, lone, 0, 1), &[], 1));
        assert!(!ask(set(DATA_NONE | ACTION_MASK, lone, 0, 1), &[], 0));
        assert!(!ask(set(trigger, lone, 0, 2), &[], 2));
    }
    // 10, 11: none at all only to disable, and from the first.
    assert!(!ask(
        set(DATA_NONE | ACTION_TRIGGER, irq::MSIX, 1, 0),
        &[],
        0
    ));
    assert!(!ask(set(trigger, irq::MSIX, 0, 0), &[], 0));
    assert!(!ask(set(DATA_NONE | ACTION_MASK, irq::MSIX, 0, 0), &[], 0));
    // 12, 13: descriptors with other data, or not one for each.
    assert!(!ask(
        set(DATA_NONE | ACTION_TRIGGER, irq::MSIX, 0, 1),
        &[],
        1
    ));
    assert!(!ask(
        set(DATA_BOOL | ACTION_TRIGGER, irq::MSIX, 0, 1),
        &[1],
        1
    ));
    assert!(!ask(set(trigger, irq::MSIX, 0, 2), &[], 1));
    assert!(!ask(set(trigger, irq::MSIX, 0, 1), &[], 2));
}

#[test]
fn lengths_are_what_the_command_has_and_not_what_it_says() {
    let refused = |command, body: &[u8]| read(&header(command), body, 0).is_err();
    let map = DmaMap {
        argsz: 32,
        flags: dma_map::READ,
        ..DmaMap::default()
    };
    assert!(!refused(command::DMA_MAP, map.as_bytes()));
    assert!(refused(command::DMA_MAP, &map.as_bytes()[..31]));
    assert!(refused(command::DMA_MAP, &[map.as_bytes(), &[0]].concat()));
    assert!(refused(
        command::DMA_MAP,
        DmaMap { argsz: 31, ..map }.as_bytes()
    ));
    assert!(refused(
        command::DMA_MAP,
        DmaMap { flags: 16, ..map }.as_bytes()
    ));
    let unmap = DmaUnmap {
        argsz: 24,
        ..DmaUnmap::default()
    };
    assert!(!refused(command::DMA_UNMAP, unmap.as_bytes()));
    assert!(refused(command::DMA_UNMAP, &unmap.as_bytes()[..23]));
    let all = DmaUnmap {
        flags: dma_unmap::ALL,
        ..unmap
    };
    assert!(!refused(command::DMA_UNMAP, all.as_bytes()));
    assert!(refused(
        command::DMA_UNMAP,
        DmaUnmap { size: 1, ..all }.as_bytes()
    ));
    let log = DmaUnmap {
        flags: dma_unmap::DIRTY_BITMAP,
        ..unmap
    };
    assert_eq!(
        read(&header(command::DMA_UNMAP), log.as_bytes(), 0),
        Err(Refusal(Errno::NOTSUP))
    );
    let access = RegionAccess {
        offset: 0,
        region: 0,
        count: 4,
    };
    assert!(!refused(command::REGION_READ, access.as_bytes()));
    assert!(refused(
        command::REGION_READ,
        &[access.as_bytes(), &[0]].concat()
    ));
    assert!(!refused(
        command::REGION_WRITE,
        &[access.as_bytes(), &[0; 4]].concat()
    ));
    for length in [0, 3, 5] {
        let body = [access.as_bytes(), &vec![0; length]].concat();
        assert!(refused(command::REGION_WRITE, &body));
    }
    let one = SmallWrite::default();
    let two = [2u64.as_bytes(), one.as_bytes(), one.as_bytes()];
    assert!(!refused(command::REGION_WRITE_MULTI, &two.concat()));
    assert!(refused(command::REGION_WRITE_MULTI, &two[..2].concat()));
    assert!(refused(command::REGION_WRITE_MULTI, u64::MAX.as_bytes()));
    assert!(!refused(command::DEVICE_RESET, &[]));
    assert!(refused(command::DEVICE_RESET, &[0]));
    for unknown in [0, command::DMA_READ, command::DMA_WRITE, 14, 19, u16::MAX] {
        assert!(refused(unknown, &[]));
    }
}

#[test]
fn descriptors_are_refused_where_none_belong() {
    let map = DmaMap {
        argsz: 32,
        ..DmaMap::default()
    };
    assert!(read(&header(command::DMA_MAP), map.as_bytes(), 1).is_ok());
    assert!(read(&header(command::DMA_MAP), map.as_bytes(), 2).is_err());
    assert!(read(&header(command::DEVICE_RESET), &[], 1).is_err());
    assert!(read(&header(command::VERSION), &[0; 4], 1).is_err());
}

#[test]
fn a_feature_is_got_or_set_and_both_only_as_a_question() {
    let ask = |flags| {
        let body = DeviceFeature { argsz: 8, flags };
        read(&header(command::DEVICE_FEATURE), body.as_bytes(), 0).is_ok()
    };
    assert!(ask(feature::GET | 1) && ask(feature::SET | 1));
    assert!(ask(feature::PROBE | 1) && ask(feature::PROBE | feature::GET | feature::SET));
    assert!(!ask(1) && !ask(feature::GET | feature::SET) && !ask(1 << 19));
}

proptest! {
    #[test]
    fn no_body_makes_the_decoder_panic(
        command in 0u16..20,
        body in prop::collection::vec(any::<u8>(), 0..96),
        fds in 0usize..4,
    ) {
        if let Ok(Request::WriteMulti(entries)) = read(&header(command), &body, fds) {
            prop_assert_eq!(small_writes(entries).count() * size_of::<SmallWrite>(), entries.len());
        }
    }
}
