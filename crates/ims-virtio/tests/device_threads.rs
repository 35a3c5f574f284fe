// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Threads of devices end with them. In a process of its own, to count them.
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
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use ims::domain::Kind;
use ims::message::RequesterId;
use ims::store::CookieUse;
use ims::store::table::Table;
use ims_host::{Form, Host};
use ims_vfio::Hold;
use ims_virtio::block::{Block, BlockOptions, Disk};
use ims_virtio::entropy::Entropy;
use ims_virtio::{BackingInterrupts, Device, Event, Notifier, Notify, Setup};
use virtio_queue::{Queue, QueueT};
use vm_memory::{GuestAddress, GuestMemoryMmap};

type Ram = Arc<GuestMemoryMmap<()>>;

struct Nobody;

impl Notify for Nobody {
    fn notify(&self, _: Event) {}
}

fn threads() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

fn setup() -> Setup<Ram> {
    let memory = GuestMemoryMmap::from_ranges(&[(GuestAddress(0), 0x10000)]).unwrap();
    let mut queue = Queue::new(16).unwrap();
    queue.set_desc_table_address(Some(0x1000), Some(0));
    queue.set_avail_ring_address(Some(0x2000), Some(0));
    queue.set_used_ring_address(Some(0x3000), Some(0));
    queue.set_ready(true);
    let notifier = Notifier::new(Arc::new(Nobody));
    Setup::new(Arc::new(memory), 0, vec![Some(queue)], notifier)
}

#[test]
fn threads_of_devices_end_with_them() {
    let before = threads();
    let path = std::env::temp_dir().join(format!("ims-threads-{}", std::process::id()));
    fs::write(&path, [0; 4096]).unwrap();
    for _ in 0..20 {
        let host = Host::new();
        let unit = host.add_unit(16, 8).unwrap();
        let space = host.add_space(2, Form::Apic).unwrap();
        let device = host.add_device(RequesterId(0x0100));
        let table = Table::new(16, CookieUse::Opaque);
        let domain = device.add_domain(Kind::Ims, 0, &unit, table).unwrap();
        let interrupts = BackingInterrupts::new(&host, domain, space, None);
        let options = BlockOptions {
            queue_size: 16,
            workers: 4,
            ..BlockOptions::default()
        };
        let disk = Disk::open(&path, false).unwrap();
        let block = Block::new(disk, interrupts.clone(), &options).unwrap();
        let entropy = Entropy::new(interrupts).unwrap();
        block.start(setup()).unwrap();
        entropy.start(setup()).unwrap();
        Device::<Ram>::notify(&block, 0);
        Device::<Ram>::stop(&block, Hold::nobody());
        // The other is dropped while it runs.
        assert!(threads() >= before + 7);
    }
    fs::remove_file(&path).unwrap();
    // A thread that was joined may be listed a moment longer.
    let begin = Instant::now();
    while threads() > before && begin.elapsed() < Duration::from_secs(10) {
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(threads(), before);
}
