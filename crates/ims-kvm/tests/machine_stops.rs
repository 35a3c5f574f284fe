// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is left of a machine: nothing. In a process of its own, whose threads and
//! descriptors can be counted.
#![cfg(not(loom))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    unreachable_pub,
    dead_code,
    reason = "a test"
)]

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use ims_kvm::machine::{Bus, Config, Irqchip, MMIO, Machine, MachineError};

const CONFIG: Config = Config {
    vcpus: 64,
    irqchip: Irqchip::InKernel,
    x2apic: false,
    words: 16,
    memory: 1 << 20,
    notify: false,
};

/// States of the threads of vCPUs, as the kernel has them.
fn vcpu_threads() -> Vec<char> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let stats = tasks.filter_map(|task| fs::read_to_string(task.unwrap().path().join("stat")).ok());
    stats
        .filter_map(|stat| {
            let (_, name) = stat.split_once('(')?;
            let (name, rest) = name.rsplit_once(") ")?;
            name.starts_with("vcpu").then(|| rest.chars().next())?
        })
        .collect()
}

/// Descriptors of VMs, vCPUs and guest memory.
fn descriptors() -> usize {
    let open = fs::read_dir("/proc/self/fd").unwrap();
    let names = open.filter_map(|fd| fs::read_link(fd.unwrap().path()).ok());
    names
        .filter(|name| {
            let name = name.to_string_lossy();
            name.contains("kvm") || name.contains("guest memory")
        })
        .count()
}

fn mapped() -> bool {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    maps.contains("guest memory") || maps.contains("kvm-vcpu")
}

fn wait(what: &str, mut come: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !come() {
        assert!(Instant::now() < until, "{what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Writes to the bus wait until told to go on.
#[derive(Default)]
struct Holds {
    held: AtomicBool,
    go_on: AtomicBool,
}

impl Bus for Holds {
    fn write(&self, _: u32, _: u64, _: &[u8]) {
        self.held.store(true, Ordering::SeqCst);
        wait("the test", || self.go_on.load(Ordering::SeqCst));
    }
}

#[test]
fn a_dropped_machine_leaves_nothing() {
    let bus = Arc::new(Holds::default());
    match Machine::start(CONFIG, bus.clone()) {
        Ok(machine) => {
            wait("all vCPUs to sleep", || {
                let threads = vcpu_threads();
                threads.len() == 64 && threads.iter().all(|state| *state == 'S')
            });
            // /dev/kvm itself is not held; statistics are where this kernel has them.
            let counted = (0..64).filter(|cpu| machine.statistics(*cpu).is_some());
            assert_eq!(descriptors(), 64 + 2 + counted.count());
            assert!(mapped());
            drop(machine);
        }
        Err(error @ (MachineError::NoKvm(_) | MachineError::Lacks { .. })) => {
            eprintln!("SKIPPED a_dropped_machine_leaves_nothing: {error}");
            return;
        }
        Err(error) => panic!("{error}"),
    }
    assert_eq!(Arc::strong_count(&bus), 1);
    assert_eq!((vcpu_threads().len(), descriptors()), (0, 0));
    assert!(!mapped());

    // With accesses under way, and one that the bus holds.
    for _ in 0..5 {
        bus.go_on.store(true, Ordering::SeqCst);
        let machine = Arc::new(Machine::start(CONFIG, bus.clone()).unwrap());
        let (sender, ended) = mpsc::channel();
        for cpu in 1..5 {
            let (machine, sender) = (Arc::clone(&machine), sender.clone());
            thread::spawn(move || {
                while machine.guest_write(cpu, MMIO.start, 1, 4).is_ok() {}
                drop(machine);
                sender.send(()).unwrap();
            });
        }
        bus.held.store(false, Ordering::SeqCst);
        bus.go_on.store(false, Ordering::SeqCst);
        wait("a write", || bus.held.load(Ordering::SeqCst));
        let stopper = thread::spawn({
            let machine = Arc::clone(&machine);
            move || machine.stop()
        });
        // All that wait for an access are told, though the bus holds it.
        for _ in 1..5 {
            ended.recv_timeout(Duration::from_secs(60)).unwrap();
        }
        bus.go_on.store(true, Ordering::SeqCst);
        stopper.join().unwrap();
        assert_eq!(vcpu_threads().len(), 0);
        drop(machine);
        assert_eq!(Arc::strong_count(&bus), 1);
        assert_eq!(descriptors(), 0);
    }

    // Others may keep the VM and the memory; they are harmless then.
    let machine = Machine::start(CONFIG, bus.clone()).unwrap();
    let (vm, memory) = (Arc::clone(machine.vm()), machine.memory().clone());
    drop(machine);
    assert_eq!(vcpu_threads().len(), 0);
    assert_eq!(descriptors(), 2);
    drop((vm, memory));
    assert_eq!(descriptors(), 0);
    assert!(!mapped());
}
