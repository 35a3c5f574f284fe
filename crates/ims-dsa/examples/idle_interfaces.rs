// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What an interface costs that does nothing: bytes, threads, descriptors; composed,
//! then attached with triggers, then enabled by its guest.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "an example")]

use std::sync::Arc;

use ims_dsa::adi::{AdiConfig, Parent, ParentConfig, VirtualDevice};
use ims_vfio::irqs::{Payload, SetIrqs};
use ims_vfio::layout::{irq, irq_set, region};
use ims_vfio::{Device, Endpoint};
use peak_alloc::PeakAlloc;
use rustix::event::{EventfdFlags, eventfd};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const INTERFACES: usize = 1000;

/// Command register: memory space and bus mastering.
const COMMAND: (u64, [u8; 2]) = (4, [6, 0]);
/// Enable Device and Enable Queue 0, as CMD takes them.
const CMD: u64 = 0xa0;
const ENABLE: [u32; 2] = [1 << 20, 6 << 20];

fn count(what: &str) -> usize {
    std::fs::read_dir(format!("/proc/self/{what}")).map_or(0, Iterator::count)
}

struct Before {
    bytes: usize,
    threads: usize,
    descriptors: usize,
}

impl Before {
    fn now() -> Self {
        Self {
            bytes: ALLOCATOR.current_usage(),
            threads: count("task"),
            descriptors: count("fd"),
        }
    }

    fn print(&self, what: &str) {
        let now = Self::now();
        println!(
            "{what:24} {:6} bytes each, {} threads and {} descriptors more in all",
            (now.bytes - self.bytes) / INTERFACES,
            now.threads - self.threads,
            now.descriptors - self.descriptors,
        );
    }
}

fn main() {
    let parent = Parent::new(ParentConfig::default()).unwrap();
    // What all share is there with the first.
    let _first = parent.compose(AdiConfig::default()).unwrap();
    let signal = eventfd(0, EventfdFlags::NONBLOCK).unwrap();
    let before = Before::now();
    let all: Vec<Arc<VirtualDevice>> = (0..INTERFACES)
        .map(|_| parent.compose(AdiConfig::default()).unwrap())
        .collect();
    before.print("composed");
    for device in all.iter().take(400) {
        let header = SetIrqs {
            argsz: 20,
            flags: irq_set::DATA_EVENTFD | irq_set::ACTION_TRIGGER,
            index: irq::MSIX,
            start: 0,
            count: 2,
        };
        let trigger = || Some(signal.try_clone().unwrap());
        let payload = Payload::Triggers(vec![trigger(), trigger()]);
        device.function().irqs.set(header, payload).unwrap();
    }
    println!("(400 of them with two triggers, a descriptor each)");
    before.print("with triggers");
    for device in &all {
        let endpoint = Endpoint::new(Arc::clone(device) as Arc<dyn Device>);
        let (at, bits) = COMMAND;
        let _ = endpoint.write(region::CONFIG, at, &bits).unwrap();
        for command in ENABLE {
            let _ = endpoint.write(0, CMD, &command.to_le_bytes()).unwrap();
        }
    }
    before.print("enabled");
}
