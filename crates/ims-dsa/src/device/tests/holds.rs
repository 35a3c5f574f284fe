// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Who waits with a hold is told when nothing of it is executed any more, not
//! before, and on no lock.

use std::sync::Mutex;

use super::*;

fn bell() -> Arc<Bell> {
    Arc::default()
}

/// A device of `engines`, one of which is held in a copy of PASID 1 in the shared
/// queue 0; queue 1 is free.
fn held_device(
    engines: usize,
) -> (
    Device<Recorder>,
    Arc<Recorder>,
    Arc<Paged>,
    Arc<Gate>,
    WorkQueue,
) {
    let (mut device, recorder) = device(engines, &[shared(8, 8), shared(8, 8)]);
    device.start().unwrap();
    let (memory, gate) = gated();
    let queue = device.queues().get(0).unwrap();
    let copy = interrupting(held(64), 7);
    queue
        .submit(&client(1, Arc::clone(&memory)), PORTAL, &copy)
        .unwrap();
    gate.wait_for_arrivals(1);
    (device, recorder, memory, gate, queue)
}

/// Has another engine end something of PASID 2 in `queue`.
fn others_go_on(queue: &WorkQueue) {
    let memory = Arc::new(Paged::new(1));
    let nop = recorded(Opcode::NoOp, 0);
    let done = bell();
    queue.submit(&client(2, memory), PORTAL, &nop).unwrap();
    queue.drain_pasid(pasid(2).unwrap(), done.hold());
    done.wait();
}

#[test]
fn with_nothing_to_wait_for_a_hold_is_gone_when_the_call_returns() {
    for started in [false, true] {
        let (mut device, _) = device(1, &[shared(8, 8)]);
        if started {
            device.start().unwrap();
        }
        let queue = device.queues().get(0).unwrap();
        let each = [bell(), bell(), bell(), bell(), bell()];
        queue.drain(each[0].hold());
        queue.drain_pasid(pasid(1).unwrap(), each[1].hold());
        assert_eq!(queue.abort(each[2].hold()), 0);
        assert_eq!(queue.abort_pasid(pasid(1).unwrap(), each[3].hold()), 0);
        queue.remove(each[4].hold());
        assert!(each.iter().all(|bell| bell.is_rung()));
    }
}

#[test]
fn a_drain_is_told_after_record_and_interrupt_and_waits_for_nobody_else() {
    let (_device, recorder, memory, gate, queue) = held_device(2);
    let (mine, all) = (bell(), bell());
    queue.drain_pasid(pasid(1).unwrap(), mine.hold());
    queue.drain(all.hold());
    others_go_on(&queue);
    assert!(!mine.is_rung() && !all.is_rung());
    gate.open();
    mine.wait();
    all.wait();
    assert_eq!(memory.record(64).status, 1);
    let raised = recorder.raised.lock().unwrap();
    assert!(raised.iter().any(|(_, handle, _)| handle.number == 7));
}

#[test]
fn a_drain_waits_for_what_waits_and_not_for_what_comes_later() {
    let (_device, _, memory, gate, queue) = held_device(1);
    let one = client(1, Arc::clone(&memory));
    queue
        .submit(&one, PORTAL, &recorded(Opcode::NoOp, 96))
        .unwrap();
    let drained = bell();
    queue.drain(drained.hold());
    // Later, and it stops the engine for good.
    let (later, stop) = gated();
    queue.submit(&client(3, later), PORTAL, &held(64)).unwrap();
    assert!(!drained.is_rung());
    gate.open();
    drained.wait();
    assert_eq!(memory.record(96).status, 1);
    stop.open();
}

#[test]
fn an_abort_is_told_when_the_engine_has_given_up() {
    let (device, recorder, memory, gate, queue) = held_device(2);
    let one = client(1, Arc::clone(&memory));
    queue.disable();
    let aborted = bell();
    assert_eq!(queue.abort(aborted.hold()), 0);
    queue.enable();
    others_go_on(&queue);
    assert!(!aborted.is_rung());
    gate.open();
    aborted.wait();
    assert_eq!(memory.record(64).status, 0);
    assert!(recorder.raised.lock().unwrap().is_empty());
    assert_eq!(device.statistics().abandoned, 1);
    // The engine is as good as before.
    queue
        .submit(&one, PORTAL, &recorded(Opcode::NoOp, 96))
        .unwrap();
    device.queues().drain_all().unwrap();
    assert_eq!(memory.record(96).status, 1);
}

#[test]
fn retiring_does_not_wait_and_is_told_when_the_threads_hold_nothing() {
    let (device, recorder, memory, gate, queue) = held_device(2);
    let waiting = Arc::new(Paged::new(1));
    let (drained, retired) = (bell(), bell());
    queue.drain(drained.hold());
    device.retire(retired.hold());
    assert_eq!(
        queue.submit(&client(1, waiting), PORTAL, &held(96)),
        Err(SubmitError::NoSuchQueue)
    );
    assert!(!retired.is_rung() && !drained.is_rung());
    gate.open();
    drained.wait();
    retired.wait();
    // The descriptor at hand was carried out.
    assert_eq!(memory.record(64).status, 1);
    assert_eq!(Arc::strong_count(&memory), 1);
    assert_eq!(Arc::strong_count(&recorder), 1);
    assert_eq!((queue.occupancy(), queue.is_enabled()), (0, false));
}

#[test]
fn retiring_drops_what_waits_and_a_device_that_never_ran_is_gone_at_once() {
    let (device, recorder) = device(2, &[shared(8, 8)]);
    let queue = device.queues().get(0).unwrap();
    let memory = Arc::new(Paged::new(1));
    let one = client(1, Arc::clone(&memory));
    queue.submit(&one, PORTAL, &held(64)).unwrap();
    let (drained, retired) = (bell(), bell());
    queue.drain(drained.hold());
    assert!(!drained.is_rung());
    device.retire(retired.hold());
    assert!(drained.is_rung() && retired.is_rung());
    drop(one);
    assert_eq!(Arc::strong_count(&memory), 1);
    assert_eq!(Arc::strong_count(&recorder), 1);
}

#[test]
fn removing_is_told_when_the_engine_has_given_up_and_the_place_is_free_then() {
    // The other descriptors wait, or hold three engines more; one is left.
    let (device, _, memory, gate, queue) = held_device(5);
    let one = client(1, Arc::clone(&memory));
    for _ in 0..3 {
        queue.submit(&one, PORTAL, &held(96)).unwrap();
    }
    let (group, other) = (Arc::clone(&queue.group), queue.clone());
    let removed = bell();
    queue.remove(removed.hold());
    others_go_on(&device.queues().get(1).unwrap());
    assert!(!removed.is_rung());
    assert_eq!(group.queues(), 2);
    gate.open();
    removed.wait();
    assert_eq!(group.queues(), 1);
    // The client itself, and nothing of the queue.
    assert_eq!(Arc::strong_count(&memory), 2);
    assert_eq!([64, 96].map(|at| memory.record(at).status), [0, 0]);
    other.enable();
    assert_eq!(
        other.submit(&one, PORTAL, &held(96)),
        Err(SubmitError::NoSuchQueue)
    );
    assert_eq!(other.configure(shared(8, 8)), Err(QueueError::NoSuchQueue));
}

#[test]
fn an_abandoned_drain_does_not_wait_for_those_before_it() {
    let (_device, _, memory, gate, queue) = held_device(2);
    let two = client(2, Arc::clone(&memory));
    // In a shared queue a drain waits for its own submitter's: this waits for none,
    // so make one wait for the held copy.
    let one = client(1, Arc::clone(&memory));
    queue
        .submit(&one, PORTAL, &recorded(Opcode::Drain, 128))
        .unwrap();
    while queue.occupancy() > 0 {
        thread::yield_now();
    }
    let aborted = bell();
    queue.abort(aborted.hold());
    // The engine of the drain is free again, with the copy still held.
    queue
        .submit(&two, PORTAL, &recorded(Opcode::NoOp, 160))
        .unwrap();
    while memory.record(160).status == 0 {
        thread::yield_now();
    }
    assert!(!aborted.is_rung());
    gate.open();
    aborted.wait();
    assert_eq!([64, 128].map(|at| memory.record(at).status), [0, 0]);
}

#[test]
fn what_a_hold_calls_on_an_engines_thread_may_use_the_device_and_drop_it() {
    let (device, recorder, memory, gate, queue) = held_device(2);
    let place = Arc::new(Mutex::new(Some(device)));
    let done = bell();
    let hold = {
        let (place, done, queue) = (Arc::clone(&place), Arc::clone(&done), queue.clone());
        let two = client(2, Arc::clone(&memory));
        let log: Arc<dyn ErrorLog> = Arc::<Recorder>::clone(&recorder);
        Hold::new(move || {
            let mut device = place.lock().unwrap().take().unwrap();
            queue.disable();
            queue.enable();
            queue
                .submit(&two, PORTAL, &recorded(Opcode::NoOp, 96))
                .unwrap();
            let added = device.add_queue(shared(4, 4), log).unwrap();
            added.enable();
            added
                .submit(&two, PORTAL, &recorded(Opcode::NoOp, 128))
                .unwrap();
            added.remove(Hold::nobody());
            device.stop();
            device.start().unwrap();
            drop(device);
            done.ring();
        })
    };
    queue.drain(hold);
    gate.open();
    done.wait();
    assert_eq!(memory.record(64).status, 1);
    // Nobody joined the threads; they end by themselves and leave nothing.
    while Arc::strong_count(&recorder) > 1 {
        thread::yield_now();
    }
}

#[test]
fn a_device_may_be_dropped_by_the_interrupt_its_engine_raises() {
    let (device, recorder, memory, gate, queue) = held_device(2);
    let done = bell();
    let mut device = Some(device);
    let rung = Arc::clone(&done);
    *recorder.on_raise.lock().unwrap() = Some(Box::new(move || {
        drop(device.take());
        rung.ring();
    }));
    gate.open();
    done.wait();
    assert_eq!(memory.record(64).status, 1);
    let drained = bell();
    queue.drain(drained.hold());
    drained.wait();
    while Arc::strong_count(&recorder) > 1 {
        thread::yield_now();
    }
}

#[test]
fn engines_left_behind_by_a_stop_on_their_own_thread_never_work_beside_new_ones() {
    let (device, _, memory, gate, queue) = held_device(1);
    let place = Arc::new(Mutex::new(Some(device)));
    let hold = {
        let place = Arc::clone(&place);
        Hold::new(move || {
            let mut place = place.lock().unwrap();
            let device = place.as_mut().unwrap();
            device.stop();
            device.start().unwrap();
        })
    };
    queue.drain(hold);
    gate.open();
    while place.lock().unwrap().as_ref().unwrap().counters.len() < 2 {
        thread::yield_now();
    }
    let one = client(1, Arc::clone(&memory));
    queue
        .submit(&one, PORTAL, &recorded(Opcode::NoOp, 96))
        .unwrap();
    let device = place.lock().unwrap().take().unwrap();
    device.queues().drain_all().unwrap();
    assert_eq!(memory.record(96).status, 1);
    assert_eq!(device.statistics().descriptors, 2);
    let retired = bell();
    device.retire(retired.hold());
    retired.wait();
}
