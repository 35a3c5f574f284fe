// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One interface at work: handles, descriptors, records, interrupts.

use ims_dsa::adi::{AdiConfig, AdiState, ComposeError, Parent, ParentConfig, VectorKind};
use ims_dsa::layout::registers::{GENCAP, GeneralCapabilities, INTCAUSE, VERSION, cause};

use crate::guest::{
    Guest, INVALID_HANDLE, RAM, SUCCESS, copy, drain, fired, record, signalled, wait,
};
use crate::parent;

const RECORD: u64 = RAM + 0x1000;
const FROM: u64 = RAM + 0x2000;
const TO: u64 = RAM + 0x3000;

#[test]
fn a_descriptor_moves_data_and_its_interrupt_reaches_the_trigger_of_its_vector() {
    let parent = parent();
    let device = parent.compose(AdiConfig::default()).unwrap();
    let (guest, triggers) = Guest::enabled(&device);
    let handle = guest.handle(1);
    assert_eq!(guest.handle(1), handle, "the same each time");
    guest.ram.write(FROM, b"what is moved");
    // The page of the portal does not matter: all lead to the parent's store.
    for page in 0..4 {
        let slot = page + 1;
        guest.ram.write(TO, &[0; 13]);
        guest.ram.write(RECORD, &[0; 32]);
        guest.submit(page, slot, &copy(FROM, TO, 13, RECORD, Some(handle)));
        fired(&triggers[1]);
        assert_eq!(record(&guest.ram, RECORD).status, SUCCESS);
        let mut moved = [0; 13];
        guest.ram.read(TO, &mut moved);
        assert_eq!(&moved, b"what is moved");
    }
    wait("the sum", || guest.adds_up(1));
    let vector = guest.vector(1);
    assert_eq!((vector.raised, vector.delivered), (4, 4));
    assert_eq!(
        (vector.kind, vector.handle),
        (VectorKind::Ims, Some(handle))
    );
    assert_eq!(vector.index, Some(handle.into()));
    assert!(vector.target.is_some());
    wait("the count", || guest.report().queue.completed == 4);
    assert_eq!(guest.report().queue.submitted, 4);
    assert_eq!(guest.report().state, AdiState::Enabled);
    assert_eq!(drain(&triggers[0]), 0, "no error and no command's end");
}

#[test]
fn both_sides_count_the_same_interrupts_when_many_coalesce() {
    let parent = parent();
    let device = parent.compose(AdiConfig::default()).unwrap();
    let (guest, triggers) = Guest::enabled(&device);
    let handle = guest.handle(1);
    let records = |n: u64| RECORD + n * 32;
    for n in 0..100 {
        guest.submit(0, n, &copy(FROM, TO, 64, records(n), Some(handle)));
    }
    wait("all records", || {
        (0..100).all(|n| guest.ram.status(records(n)) == SUCCESS)
    });
    wait("the sum", || {
        guest.vector(1).raised == 100 && guest.adds_up(1)
    });
    let vector = guest.vector(1);
    signalled(&triggers[1], vector.delivered);
    wait("the engines' counts", || {
        let engines = parent.usage().engines;
        (engines.descriptors, engines.interrupts) == (100, 100)
    });
}

#[test]
fn a_guest_finds_a_device_it_may_not_configure() {
    let parent = parent();
    let device = parent.compose(AdiConfig::default()).unwrap();
    let guest = Guest::new(&device);
    let mut bytes = [0; 8];
    guest.endpoint.read(0, GENCAP, &mut bytes).unwrap();
    let capabilities = GeneralCapabilities::from_bits(u64::from_le_bytes(bytes));
    assert!(!capabilities.configurable());
    assert!(!capabilities.block_on_fault());
    assert!(capabilities.command_capabilities());
    assert_eq!(capabilities.ims_size(), 0, "the store is not the guest's");
    assert_eq!(guest.read32(VERSION), 0x200);
    guest.endpoint.read(7, 0, &mut bytes).unwrap();
    assert_eq!(&bytes[..4], &[0x86, 0x80, 0x25, 0x0b]);
}

#[test]
fn a_handle_is_given_for_vectors_with_an_entry_alone_and_released_by_its_owner_alone() {
    let parent = parent();
    let vectors = AdiConfig {
        vectors: 3,
        ..AdiConfig::default()
    };
    let (guest, _triggers) = Guest::enabled(&parent.compose(vectors.clone()).unwrap());
    let (other, _others) = Guest::enabled(&parent.compose(vectors).unwrap());
    assert_eq!(guest.run(13, 0).0, 0x41, "the emulated vector");
    assert_eq!(guest.run(13, 3).0, 0x41, "beyond the table");
    assert_eq!(
        guest.run(13, 1 << 16 | 1).0,
        0x42,
        "the store is not the guest's"
    );
    let (first, second) = (guest.handle(1), guest.handle(2));
    assert_ne!(first, second);
    assert_eq!(other.run(14, first.into()).0, 0x41, "somebody else's");
    assert_eq!(guest.run(14, 1 << 16 | u32::from(first)).0, 0x41);
    assert_eq!(guest.run(14, first.into()).0, 0);
    assert_eq!(guest.run(14, first.into()).0, 0x41, "released before");
    // What was released is good for nothing any more.
    guest.submit(0, 0, &copy(FROM, TO, 8, RECORD, Some(first)));
    wait("the record", || guest.ram.status(RECORD) == INVALID_HANDLE);
    guest.disable_irqs();
    assert_eq!(guest.run(13, 2).0, 0x42, "without a trigger");
    assert_eq!(
        guest.run(14, second.into()).0,
        0,
        "it was given all the same"
    );
}

#[test]
fn a_command_that_asks_for_it_interrupts_by_the_emulated_vector() {
    let parent = parent();
    let device = parent.compose(AdiConfig::default()).unwrap();
    let guest = Guest::new(&device);
    let misc = guest.trigger(0);
    guest.write32(ims_dsa::layout::registers::CMD, 1 << 31 | 1 << 20);
    fired(&misc);
    assert_eq!(guest.read32(INTCAUSE), cause::COMMAND);
    assert_eq!(guest.state(), 1);
    let vector = guest.vector(0);
    assert_eq!((vector.raised, vector.delivered), (1, 1));
    assert_eq!(vector.kind, VectorKind::Emulated);
}

#[test]
fn what_cannot_be_composed_is_refused_with_the_reason() {
    let parent = parent();
    let compose = |config| parent.compose(config).map(drop);
    for (config, what) in [
        (
            AdiConfig {
                vectors: 0,
                ..AdiConfig::default()
            },
            "MSI-X vectors",
        ),
        (
            AdiConfig {
                vectors: 2049,
                ..AdiConfig::default()
            },
            "MSI-X vectors",
        ),
        (
            AdiConfig {
                queue_size: 0,
                ..AdiConfig::default()
            },
            "queue size",
        ),
        (
            AdiConfig {
                queue_size: 1025,
                ..AdiConfig::default()
            },
            "queue size",
        ),
        (
            AdiConfig {
                priority: 16,
                ..AdiConfig::default()
            },
            "priority",
        ),
    ] {
        match compose(config) {
            Err(ComposeError::Range { what: named, .. }) => assert_eq!(named, what),
            other => panic!("{other:?}"),
        }
    }
    let many = AdiConfig {
        vectors: 300,
        ..AdiConfig::default()
    };
    let refused = compose(many).unwrap_err();
    assert!(matches!(
        refused,
        ComposeError::Vectors {
            asked: 299,
            entries: 256
        }
    ));
    assert_eq!(parent.usage().interfaces, 0);
    for ims_entries in [0, 100, 16_384] {
        let config = ParentConfig {
            ims_entries,
            ..ParentConfig::default()
        };
        assert!(Parent::new(config).is_err());
    }
    let config = ParentConfig {
        engines: 0,
        ..ParentConfig::default()
    };
    assert!(Parent::new(config).is_err());
}
