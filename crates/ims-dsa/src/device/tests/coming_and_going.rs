// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Queues are added and removed while engines run.

use super::*;
use crate::SoftwareError;

fn log(recorder: &Arc<Recorder>) -> Arc<dyn ErrorLog> {
    Arc::<Recorder>::clone(recorder)
}

#[test]
fn an_added_queue_begins_disabled_and_has_a_number_of_its_own() {
    let (device, recorder) = device(1, &[shared(4, 4), shared(4, 4)]);
    let first = device.add_queue(shared(4, 4), log(&recorder)).unwrap();
    let second = device.add_queue(dedicated(9), log(&recorder)).unwrap();
    assert_eq!([first.number(), second.number()], [2, 3]);
    assert!(!first.is_enabled());
    assert_eq!(device.queues().get(1).unwrap().number(), 1);
    first.remove(Hold::nobody());
    let third = device.add_queue(shared(4, 4), log(&recorder)).unwrap();
    assert_eq!(third.number(), 4);
}

#[test]
fn a_queue_that_could_not_work_is_not_added() {
    let (device, recorder) = device(1, &[]);
    let add = |config| device.add_queue(config, log(&recorder)).unwrap_err();
    let elsewhere = QueueConfig {
        group: 3,
        ..shared(4, 4)
    };
    let ConfigError::NoEngine { group: 3, .. } = add(elsewhere) else {
        panic!()
    };
    let ConfigError::Size { .. } = add(shared(0, 0)) else {
        panic!()
    };
    let ConfigError::Threshold { .. } = add(shared(4, 5)) else {
        panic!()
    };
    assert_eq!(device.groups.groups[0].queues(), 0);
}

#[test]
fn each_queue_tells_its_own_log() {
    let (mut device, common) = device(2, &[shared(8, 8)]);
    device.start().unwrap();
    let own = Arc::new(Recorder::default());
    let added = device.add_queue(shared(8, 8), log(&own)).unwrap();
    added.enable();
    let one = client(1, Arc::new(Paged::new(1)));
    // There is no page for the record.
    let nop = recorded(Opcode::NoOp, 5 * PAGE);
    added.submit(&one, PORTAL, &nop).unwrap();
    device.queues().submit(0, &one, PORTAL, &nop).unwrap();
    device.queues().drain_all().unwrap();
    for (log, queue) in [(&common, 0), (&own, added.number())] {
        let errors = log.errors.lock().unwrap();
        let [SoftwareError { queue: told, .. }] = errors[..] else {
            panic!("{errors:?}")
        };
        assert_eq!(told, queue);
    }
}

#[test]
fn queues_removed_under_load_leave_nothing_and_cost_the_others_nothing() {
    const STEADY: u16 = 4000;
    let (mut device, recorder) = device(2, &[shared(32, 32)]);
    device.start().unwrap();
    thread::scope(|scope| {
        let steady = device.queues().get(0).unwrap();
        scope.spawn(move || {
            let who = client(1, Arc::new(Paged::new(1)));
            for each in 0..STEADY {
                let nop = interrupting(recorded(Opcode::NoOp, 64), each);
                while steady.submit(&who, PORTAL, &nop) == Err(SubmitError::Full) {
                    thread::yield_now();
                }
            }
        });
        for visitor in 0..2u32 {
            let (device, recorder) = (&device, &recorder);
            scope.spawn(move || {
                for round in 0..150 {
                    let queue = device.add_queue(shared(16, 16), log(recorder)).unwrap();
                    queue.enable();
                    let memory = Arc::new(Paged::new(4));
                    let who = client(100 + visitor, Arc::clone(&memory));
                    for at in 0..round % 17 {
                        let copy = transfer(Opcode::MemoryMove, at * 32, PAGE, 2 * PAGE, 8192);
                        queue.submit(&who, PORTAL, &copy).unwrap();
                    }
                    drop(who);
                    let removed = Arc::new(Bell::default());
                    queue.remove(removed.hold());
                    removed.wait();
                    // No descriptor of it is left, waiting or executed.
                    assert_eq!(Arc::strong_count(&memory), 1);
                }
            });
        }
    });
    device.queues().drain_all().unwrap();
    let mut raised: Vec<u16> = {
        let raised = recorder.raised.lock().unwrap();
        raised.iter().map(|(_, handle, _)| handle.number).collect()
    };
    raised.sort_unstable();
    assert!(raised.into_iter().eq(0..STEADY));
    assert_eq!(device.groups.groups[0].queues(), 1);
}
