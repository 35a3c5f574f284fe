// SPDX-License-Identifier: Apache-2.0 OR MIT
//! An engine's work is shared among queues, whatever they ask for.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

/// A device with one engine, stopped, and `count` enabled queues of PASID 1.
fn one_engine(count: usize) -> (Device<Recorder>, Arc<Recorder>) {
    let queue = QueueConfig {
        size: 64,
        ..dedicated(1)
    };
    device(1, &vec![queue; count])
}

/// Which queues were served, in order: each descriptor's interrupt is its queue.
fn order(device: &mut Device<Recorder>, recorder: &Recorder) -> Vec<u16> {
    device.start().unwrap();
    device.queues().drain_all().unwrap();
    let raised = recorder.raised.lock().unwrap();
    raised.iter().map(|(_, handle, _)| handle.number).collect()
}

#[test]
fn sixty_four_busy_queues_are_served_in_turn() {
    let (mut device, recorder) = one_engine(64);
    let one = client(1, Arc::new(Paged::new(1)));
    for queue in 0..64u16 {
        let nop = interrupting(recorded(Opcode::NoOp, 0), queue);
        for _ in 0..16 {
            let queues = device.queues();
            queues.submit(queue.into(), &one, PORTAL, &nop).unwrap();
        }
    }
    let order = order(&mut device, &recorder);
    assert_eq!(order.len(), 64 * 16);
    for turn in order.chunks(64) {
        let mut turn = turn.to_vec();
        turn.sort_unstable();
        assert!(turn.into_iter().eq(0..64));
    }
}

/// Who is served in how many of the others' turns, if queue 0 submits `greedy` and
/// 63 others submit no-ops.
fn others_between(greedy: &Descriptor, memory: Arc<Paged>) -> Vec<usize> {
    let (mut device, recorder) = one_engine(64);
    let one = client(1, memory);
    let queues = device.queues();
    for _ in 0..3 {
        let greedy = interrupting(*greedy, 0);
        queues.submit(0, &one, PORTAL, &greedy).unwrap();
    }
    for queue in 1..64u16 {
        let nop = interrupting(recorded(Opcode::NoOp, 0), queue);
        for _ in 0..64 {
            queues.submit(queue.into(), &one, PORTAL, &nop).unwrap();
        }
    }
    let order = order(&mut device, &recorder);
    let turns: Vec<usize> = (0..order.len()).filter(|at| order[*at] == 0).collect();
    turns.windows(2).map(|two| two[1] - two[0] - 1).collect()
}

#[test]
fn who_submits_large_transfers_is_served_less_often() {
    // 15 pages and the descriptor: as much as 16 no-ops.
    let copy = transfer(Opcode::Fill, 64, 7, PAGE, 15 * 4096);
    let between = others_between(&copy, Arc::new(Paged::new(16)));
    assert_eq!(between, [16 * 63, 16 * 63]);
}

#[test]
fn who_submits_batches_pays_for_what_is_in_them() {
    // 9 no-ops, a copy of 5 pages, the batch itself: 16.
    let memory = Arc::new(Paged::new(16));
    let copy = transfer(Opcode::Fill, 96, 7, 4 * PAGE, 5 * 4096);
    for at in 0..10 {
        let member = if at == 0 {
            copy
        } else {
            recorded(Opcode::NoOp, 128)
        };
        let bytes = zerocopy::IntoBytes::as_bytes(&member);
        memory.put(PAGE + at * 64, bytes);
    }
    let batch = transfer(Opcode::Batch, 64, PAGE, 0, 10);
    let between = others_between(&batch, memory);
    assert_eq!(between, [16 * 63, 16 * 63]);
}

#[test]
fn who_asks_for_much_and_gets_nothing_does_not_pay_for_it() {
    // Stops at a page fault, at once.
    let copy = transfer(Opcode::Fill, 64, 7, 9 * PAGE, 15 * 4096);
    let between = others_between(&copy, Arc::new(Paged::new(2)));
    assert_eq!(between, [63, 63]);
}

/// Stops a thread, however the test ends.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn busy_queues_all_go_on_while_one_copies_without_end() {
    let (mut device, recorder) = device(2, &[shared(8, 8)]);
    let log = || -> Arc<dyn ErrorLog> { Arc::<Recorder>::clone(&recorder) };
    let greedy = device.queues().get(0).unwrap();
    let others: Vec<WorkQueue> = (0..63)
        .map(|_| device.add_queue(shared(8, 8), log()).unwrap())
        .collect();
    device.start().unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let _stop = Stop(&stop);
        scope.spawn(|| {
            let who = client(1, Arc::new(Paged::new(1030)));
            let copy = transfer(Opcode::Fill, 64, 7, PAGE, 4 << 20);
            while !stop.load(Ordering::Relaxed) {
                if greedy.submit(&who, PORTAL, &copy).is_err() {
                    thread::yield_now();
                }
            }
        });
        let who = client(2, Arc::new(Paged::new(1)));
        let nop = recorded(Opcode::NoOp, 64);
        for queue in &others {
            queue.enable();
        }
        for _ in 0..20 {
            let done = Arc::new(Bell::default());
            let all = done.hold();
            for queue in &others {
                assert_eq!(queue.submit(&who, PORTAL, &nop), Ok(()));
                queue.drain(all.clone());
            }
            drop(all);
            done.wait();
        }
    });
    device.queues().abort_all();
}
