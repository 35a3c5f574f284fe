// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Stops while there is work: nothing is touched or told after the hold has gone.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use ims_vfio::Hold;
use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};

use super::machine::{AREA, Machine, bytes, put_header};
use crate::block::BlockOptions;
use crate::layout::block::{feature, request, status};
use crate::memory::Memory;
use crate::queues::testing::{PATIENCE, Ram};

const OPTIONS: BlockOptions = BlockOptions {
    queues: 4,
    queue_size: 256,
    workers: 3,
    read_only: false,
    block_size: 512,
    id: String::new(),
};

/// Fills every queue with as many requests as it can hold.
fn fill(machine: &mut Machine) {
    for queue in 0..4 {
        let base = machine.buffers(queue);
        put_header(&machine.ram, base, request::IN, 0);
        let chain = [
            (base, 16, false),
            (base + 0x1000, 4096, true),
            (base + 16, 1, true),
        ];
        for _ in 0..256 {
            let driver = &mut machine.drivers[usize::from(queue)];
            driver.add_indirect(base + 0x800, &chain).unwrap();
        }
    }
}

#[test]
fn a_reset_with_a_thousand_requests_in_flight_leaves_nothing_behind() {
    let mut machine = Machine::new(&OPTIONS);
    let all = (4 * AREA) as usize;
    for round in 0..60_u32 {
        machine.replace_ram(&machine.ram.clone());
        fill(&mut machine);
        machine.start(machine.ram.clone(), feature::FLUSH);
        let (gone, is_gone) = mpsc::channel();
        thread::scope(|scope| {
            let machine = &machine;
            scope.spawn(move || {
                // Goes on while it stops, and after.
                for n in 0..2_000_u16 {
                    machine.notify(n % 5);
                }
            });
            // Some rounds stop at once, some when all is done.
            for _ in 0..round * round {
                thread::yield_now();
            }
            let told = Arc::clone(&machine.told);
            machine.stop(Hold::new(move || {
                let counts = told.counts();
                let _ = gone.send(counts.used.iter().sum::<u64>());
            }));
            let told = is_gone.recv_timeout(PATIENCE).unwrap();
            // From here on memory is the driver's alone.
            let pattern = vec![0xa5; all];
            machine.ram.write_slice(&pattern, GuestAddress(0)).unwrap();
            thread::sleep(Duration::from_micros(300));
            assert!(bytes(&machine.ram, 0, all) == pattern, "round {round}");
            assert_eq!(machine.told.counts().used.iter().sum::<u64>(), told);
        });
    }
    machine.replace_ram(&machine.ram.clone());
    machine.start(machine.ram.clone(), feature::FLUSH);
    for queue in 0..4 {
        let at = machine.buffers(queue) + 0x1000;
        let read = machine.request(queue, request::IN, 1, (at, 512), true);
        assert_eq!(read, (status::OK, 513));
    }
    assert_eq!(machine.told.counts().resets, 0);
}

/// Memory whose door can be shut from outside.
#[derive(Clone)]
struct Door {
    ram: Ram,
    door: Arc<Mutex<()>>,
    came: Arc<AtomicU32>,
}

impl Memory for Door {
    type Session = GuestMemoryMmap<()>;

    fn enter(&self) -> Option<Arc<Self::Session>> {
        self.came.fetch_add(1, Ordering::Relaxed);
        let _open = self.door.lock().unwrap();
        Some(Arc::clone(&self.ram))
    }
}

#[test]
fn a_second_stop_waits_for_what_the_first_waits_for() {
    let machine = Machine::new(&OPTIONS);
    let memory = Door {
        ram: Arc::clone(&machine.ram),
        door: Arc::default(),
        came: Arc::default(),
    };
    let shut = memory.door.lock().unwrap();
    machine.start(memory.clone(), feature::FLUSH);
    // Until a worker stands at the door.
    while memory.came.load(Ordering::Relaxed) == 0 {
        thread::yield_now();
    }
    let (gone, is_gone) = mpsc::channel();
    for _ in 0..3 {
        let gone = gone.clone();
        machine.stop(Hold::new(move || {
            let _ = gone.send(());
        }));
    }
    assert!(is_gone.try_recv().is_err());
    drop(shut);
    for _ in 0..3 {
        is_gone.recv_timeout(PATIENCE).unwrap();
    }
    // With nothing to wait for, a stop is at once.
    let (gone, is_gone) = mpsc::channel();
    machine.stop(Hold::new(move || {
        let _ = gone.send(());
    }));
    is_gone.try_recv().unwrap();
}

#[test]
fn a_device_that_is_dropped_while_it_works_lets_go() {
    for _ in 0..20 {
        let mut machine = Machine::new(&OPTIONS);
        fill(&mut machine);
        machine.start(machine.ram.clone(), feature::FLUSH);
        let ram = Arc::clone(&machine.ram);
        drop(machine);
        // The test's own, and no worker's.
        assert_eq!(Arc::strong_count(&ram), 1);
    }
}
