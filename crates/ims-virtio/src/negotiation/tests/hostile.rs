// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Drivers that write anything.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn no_sequence_of_writes_does_harm(
        writes in prop::collection::vec((0u8..10, any::<u32>(), 0u32..4), 0..200),
        slow in any::<bool>(),
    ) {
        let mut test = Test::new(|device| device.stops_slowly = slow);
        for (what, value, small) in writes {
            let before = test.negotiation.status();
            match what {
                0 => test.negotiation.set_device_features_sel(small),
                1 => test.negotiation.set_driver_features_sel(small),
                2 => test.negotiation.set_driver_features(value),
                3 => test.until_features(),
                4 => test.negotiation.set_queue_sel(small),
                5 => test.negotiation.set_queue_size(1 << (value % 32)),
                6 => test.negotiation.set_queue_address(Address::Device, Half::Low, value),
                7 => test.negotiation.set_queue_ready(small != 0),
                8 => test.status(value % 16),
                _ => test.device.let_go(),
            }
            let status = test.negotiation.status();
            if what != 8 && what != 9 && what != 3 {
                prop_assert_eq!(status, before);
            }
            prop_assert_eq!(status & !(DRIVERS | NEEDS_RESET), 0);
            prop_assert!(status & DRIVER_OK == 0 || status & FEATURES_OK != 0);
            let accepted = test.negotiation.accepted();
            prop_assert_eq!(accepted & !(test.device.features | VERSION_1 | 1 << 47), 0);
            let asked = test.device.asked.lock().unwrap();
            prop_assert!(asked.starts - asked.stops <= 1);
            if let Some(setup) = &asked.setup {
                prop_assert_eq!(setup.features & VERSION_1, VERSION_1);
                let memory = memory();
                prop_assert!(setup.queues.iter().flatten().all(|queue| queue.is_valid(&*memory)));
            }
        }
    }
}
