// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Saving and restoring.

use vm_memory::{Bytes, GuestAddress};

use super::*;

#[test]
fn a_started_device_is_restored_where_its_rings_are() {
    let mut test = Test::new(|_| {});
    test.until_started();
    let state = test.negotiation.save();
    let memory = memory();
    memory.write_obj(7u16, GuestAddress(0x6002)).unwrap();
    let device = Arc::new(Recorder::new(&[64, 16]));
    let mut other = Negotiation::new(Arc::clone(&device), memory, 1 << 47).unwrap();
    other.restore(&state, &test.notifier()).unwrap();
    assert_eq!(other.save(), state);
    let asked = device.asked.lock().unwrap();
    let queue = asked.setup.as_ref().unwrap().queues[0].as_ref().unwrap();
    assert_eq!((queue.next_avail(), queue.next_used()), (7, 7));
    drop(asked);
    assert_eq!(
        other.restore(&state, &test.notifier()),
        Err(RestoreError::Busy)
    );
}

#[test]
fn states_of_other_devices_and_damaged_ones_are_not_restored() {
    let mut test = Test::new(|_| {});
    test.until_started();
    let good = test.negotiation.save();
    let refused = |change: &dyn Fn(&mut NegotiationState)| {
        let mut state = good.clone();
        change(&mut state);
        let mut other = Test::new(|_| {});
        let before = other.negotiation.save();
        let notifier = other.notifier();
        let error = other.negotiation.restore(&state, &notifier).unwrap_err();
        assert_eq!(other.negotiation.save(), before);
        assert_eq!(other.device.asked.lock().unwrap().starts, 0);
        error
    };
    let offered = good.offered;
    assert_eq!(
        refused(&|state| state.offered |= 2),
        RestoreError::Features {
            saved: offered | 2,
            offered
        }
    );
    let queues = refused(&|state| state.queues.truncate(1));
    assert_eq!(
        queues,
        RestoreError::Queues {
            saved: 1,
            queues: 2
        }
    );
    for change in [
        (|queue| queue.size_max = 8) as fn(&mut QueueState),
        |queue| queue.size = 5,
        |queue| queue.desc = 1,
    ] {
        let error = refused(&|state| change(&mut state.queues[0]));
        assert_eq!(error, RestoreError::Queue { queue: 0 });
    }
    for status in [16, 15 | 1 << 20, 4, NEEDS_RESET] {
        let error = refused(&|state| state.status = status);
        assert_eq!(error, RestoreError::Status { status });
    }
    let unagreed = refused(&|state| state.driver_features = 2);
    assert_eq!(unagreed, RestoreError::Status { status: 15 });
}
