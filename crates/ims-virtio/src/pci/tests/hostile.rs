// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Drivers that do anything.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Access {
    Read(u64, usize),
    Write(u64, Vec<u8>),
    Msix(bool),
    Tell(Event),
}

/// Mostly where something is.
fn offsets() -> impl Strategy<Value = u64> {
    prop_oneof![
        8 => 0..0x40_u64,
        1 => Just(DEVICE_STATUS),
        1 => bar::ISR - 2..bar::ISR + 4,
        1 => bar::DEVICE - 4..bar::DEVICE + 40,
        1 => bar::DEVICE + bar::DEVICE_BYTES - 8..bar::DEVICE + bar::DEVICE_BYTES + 8,
        1 => bar::NOTIFY..bar::NOTIFY + 24,
        1 => any::<u64>(),
    ]
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![Just(0), Just(1), Just(0xf), any::<u8>()];
    prop_oneof![
        4 => proptest::collection::vec(byte.clone(), 1..=8),
        1 => proptest::collection::vec(byte, 0..80),
    ]
}

fn accesses() -> impl Strategy<Value = Access> {
    prop_oneof![
        3 => (offsets(), 0..80_usize).prop_map(|(at, length)| Access::Read(at, length)),
        6 => (offsets(), bytes()).prop_map(|(at, bytes)| Access::Write(at, bytes)),
        1 => any::<bool>().prop_map(Access::Msix),
        1 => (0..5_u16).prop_map(|queue| Access::Tell(Event::Used(queue))),
        1 => Just(Access::Tell(Event::Config)),
    ]
}

proptest! {
    #[test]
    fn whatever_is_accessed_the_next_driver_finds_a_sound_device(
        starts in any::<bool>(),
        accesses in proptest::collection::vec(accesses(), 1..120),
    ) {
        let test = Test::new();
        if starts {
            test.go();
        }
        for access in accesses {
            match access {
                Access::Read(at, length) => {
                    let mut into = vec![0xee; length];
                    test.pci.read(at, &mut into);
                }
                Access::Write(at, bytes) => test.pci.write(at, &bytes),
                Access::Msix(enabled) => test.pci.set_msix_enabled(enabled),
                Access::Tell(event) => test.tell(event),
            }
        }
        let vectors_in_range = test.raised().iter().all(|vector| *vector < VECTORS);
        prop_assert!(vectors_in_range);
        {
            let asked = test.device.asked.lock().unwrap();
            prop_assert!(asked.notified.iter().all(|queue| *queue < 3));
            prop_assert!(asked.stops <= asked.starts);
        }
        test.set_status(0);
        test.pci.set_msix_enabled(false);
        prop_assert_eq!(test.status(), 0);
        prop_assert!(!test.level());
        test.go();
        prop_assert_eq!(test.status() & (DRIVER_OK | NEEDS_RESET), DRIVER_OK);
        test.tell(Event::Used(0));
        prop_assert!(test.level());
    }

    #[test]
    fn rings_anywhere_start_a_device_only_if_they_are_in_memory(
        desc in any::<u64>(), driver in any::<u64>(), device in any::<u64>(), size in 0..70_u16,
    ) {
        let test = Test::new();
        test.agree();
        test.set(QUEUE_SELECT, 2, 0);
        test.set(QUEUE_SIZE, 2, size.into());
        test.set(QUEUE_DESC, 8, desc & !0xf);
        test.set(QUEUE_DRIVER, 8, driver & !0x1);
        test.set(QUEUE_DEVICE, 8, device & !0x3);
        test.set(QUEUE_ENABLE, 2, 1);
        let sound = size.is_power_of_two() && size <= 64;
        prop_assert_eq!(test.get(QUEUE_ENABLE, 2), u64::from(sound));
        test.set_status(ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
        let memory = crate::recorder::MEMORY;
        let inside = [desc, driver, device].iter().all(|at| *at < memory);
        if sound && !inside {
            prop_assert_ne!(test.status() & NEEDS_RESET, 0);
            prop_assert_eq!(test.device.asked.lock().unwrap().starts, 0);
        }
    }
}
