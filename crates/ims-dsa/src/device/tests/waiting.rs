// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Draining and aborting while an engine is held in the middle of a copy.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

#[test]
fn draining_waits_for_what_an_engine_executes() {
    let (mut device, _) = device(2, &[shared(8, 8)]);
    device.start().unwrap();
    let queues = device.queues();
    let (slow, gate) = gated();
    let quick = Arc::new(Paged::new(1));
    queues
        .submit(0, &client(1, Arc::clone(&slow)), PORTAL, &held(64))
        .unwrap();
    gate.wait_for_arrivals(1);
    queues
        .submit(0, &client(2, quick), PORTAL, &recorded(Opcode::NoOp, 0))
        .unwrap();
    // The other submitter has nothing to wait for.
    queues.drain_pasid(pasid(2).unwrap()).unwrap();
    let drained = Arc::new(AtomicBool::new(false));
    let waiting = {
        let (queues, drained) = (queues.clone(), Arc::clone(&drained));
        thread::spawn(move || {
            queues.drain_pasid(pasid(1).unwrap()).unwrap();
            drained.store(true, Ordering::SeqCst);
        })
    };
    thread::sleep(Duration::from_millis(30));
    assert!(!drained.load(Ordering::SeqCst));
    assert_eq!(slow.record(64).status, 0);
    gate.open();
    waiting.join().unwrap();
    assert_eq!(slow.record(64).status, 1);
}

#[test]
fn a_drain_descriptor_completes_after_those_before_it() {
    let (mut device, recorder) = device(3, &[dedicated(1)]);
    device.start().unwrap();
    let queues = device.queues();
    let (memory, gate) = gated();
    let one = client(1, Arc::clone(&memory));
    queues
        .submit(0, &one, PORTAL, &interrupting(held(64), 1))
        .unwrap();
    gate.wait_for_arrivals(1);
    let drain = interrupting(recorded(Opcode::Drain, 96), 2);
    queues.submit(0, &one, PORTAL, &drain).unwrap();
    // Later ones do not wait for a drain.
    queues
        .submit(
            0,
            &one,
            PORTAL,
            &interrupting(recorded(Opcode::NoOp, 128), 3),
        )
        .unwrap();
    while recorder.raised.lock().unwrap().is_empty() {
        thread::yield_now();
    }
    assert_eq!(
        (memory.record(128).status, memory.record(96).status),
        (1, 0)
    );
    gate.open();
    queues.drain_all().unwrap();
    let raised = recorder.raised.lock().unwrap();
    assert!(
        raised
            .iter()
            .map(|(_, handle, _)| handle.number)
            .eq([3, 1, 2])
    );
}

#[test]
fn draining_stopped_engines_is_an_error_and_starting_them_cures_it() {
    let (mut device, recorder) = device(1, &[dedicated(1)]);
    let queues = device.queues();
    let one = client(1, Arc::new(Paged::new(1)));
    for round in 1..4 {
        let nop = interrupting(recorded(Opcode::NoOp, 0), round);
        queues.submit(0, &one, PORTAL, &nop).unwrap();
        assert_eq!(queues.drain_all(), Err(Stopped));
        device.start().unwrap();
        queues.drain_all().unwrap();
        assert_eq!(recorder.raised.lock().unwrap().len(), usize::from(round));
        device.stop();
    }
    assert_eq!(queues.drain_all(), Ok(()));
}

#[test]
fn abort_drops_what_waits_and_waits_for_what_runs() {
    let (mut device, _) = device(1, &[shared(8, 8)]);
    device.start().unwrap();
    let queues = device.queues();
    let (memory, gate) = gated();
    let (one, two) = (
        client(1, Arc::clone(&memory)),
        client(2, Arc::clone(&memory)),
    );
    queues.submit(0, &one, PORTAL, &held(64)).unwrap();
    gate.wait_for_arrivals(1);
    queues
        .submit(0, &one, PORTAL, &recorded(Opcode::NoOp, 96))
        .unwrap();
    queues
        .submit(0, &two, PORTAL, &recorded(Opcode::NoOp, 128))
        .unwrap();
    let aborting = {
        let queues = queues.clone();
        thread::spawn(move || queues.abort_pasid(pasid(1).unwrap()))
    };
    while queues.occupancy(0) != Some(1) {
        thread::yield_now();
    }
    assert!(!aborting.is_finished());
    gate.open();
    assert_eq!(aborting.join().unwrap(), 1);
    queues.drain_all().unwrap();
    let each = [64, 96, 128].map(|at| memory.record(at).status);
    // What was executed is given up between the access at the gate and the next.
    assert_eq!(each, [0, 0, 1]);
}

#[test]
fn an_aborted_batch_stops_between_two_descriptors_and_tells_nothing() {
    let (mut device, _) = device(1, &[dedicated(1)]);
    device.start().unwrap();
    let queues = device.queues();
    let (memory, gate) = gated();
    for (at, one) in [held(64), recorded(Opcode::NoOp, 96)].iter().enumerate() {
        memory.put(
            3 * PAGE + at as u64 * 64,
            zerocopy::IntoBytes::as_bytes(one),
        );
    }
    let batch = transfer(Opcode::Batch, 128, 3 * PAGE, 0, 2);
    queues
        .submit(0, &client(1, Arc::clone(&memory)), PORTAL, &batch)
        .unwrap();
    gate.wait_for_arrivals(1);
    let aborting = {
        let queues = queues.clone();
        thread::spawn(move || queues.abort_queue(0))
    };
    // The abort marks the engine before it sleeps; the mark is what to see.
    while !queues.groups.groups[0].is_giving_up(queues.find(0).unwrap().place) {
        thread::yield_now();
    }
    gate.open();
    assert_eq!(aborting.join().unwrap(), Ok(0));
    let each = [64, 96, 128].map(|at| memory.record(at).status);
    assert_eq!(each, [0, 0, 0]);
    // The batch, and what was executed of it.
    assert_eq!(device.statistics().abandoned, 2);
}

/// An address space with a bug.
struct Broken;

impl crate::AddressSpace for Broken {
    fn window(
        &self,
        _: u64,
        _: usize,
        _: crate::Access,
    ) -> Result<vm_memory::VolatileSlice<'_>, crate::Unmapped> {
        panic!("an address space that is not ours broke")
    }
}

#[test]
fn nobody_waits_for_ever_for_an_engine_that_a_foreign_panic_ended() {
    let (mut device, _) = device(1, &[dedicated(1)]);
    device.start().unwrap();
    let queues = device.queues();
    let broken = Client {
        pasid: pasid(1),
        memory: Arc::new(Broken),
    };
    queues
        .submit(0, &broken, PORTAL, &recorded(Opcode::NoOp, 64))
        .unwrap();
    queues.drain_all().unwrap();
    // Stopping and starting brings the engine back.
    device.stop();
    device.start().unwrap();
    let memory = Arc::new(Paged::new(1));
    let fine = client(1, Arc::clone(&memory));
    queues
        .submit(0, &fine, PORTAL, &recorded(Opcode::NoOp, 64))
        .unwrap();
    queues.drain_all().unwrap();
    assert_eq!(memory.record(64).status, 1);
}
