// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Descriptors that block on a page fault, in the memory of a VFIO client.

use ims_vfio::dma::{Access, Backing, Dma, Map};
use vm_memory::mmap::MmapRegion;
use vm_memory::{VolatileMemory, VolatileSlice};

use super::*;
use crate::ClientMemory;
use crate::layout::{COMPLETION_SIZE, Completion, Flags};
use crate::testing::with_flags;

/// Memory of this process.
struct Ram(MmapRegion<()>);

impl Backing for Ram {
    fn slice(&self, offset: u64, length: usize) -> Option<VolatileSlice<'_>> {
        self.0.get_slice(usize::try_from(offset).ok()?, length).ok()
    }
}

/// A client with its memory: page 0, for records, is mapped.
struct World {
    dma: Dma,
    ram: Arc<Ram>,
    device: Device<Recorder>,
    recorder: Arc<Recorder>,
}

impl World {
    /// With `engines`, started, and two queues that may block.
    fn new(engines: usize) -> Self {
        let queue = QueueConfig {
            limits: crate::Limits {
                block_on_fault: true,
                ..crate::Limits::default()
            },
            ..shared(8, 8)
        };
        let (mut device, recorder) = device(engines, &[queue, queue]);
        device.start().unwrap();
        let dma = Dma::default();
        dma.allow();
        let world = Self {
            dma,
            ram: Arc::new(Ram(MmapRegion::new(16 * 4096).unwrap())),
            device,
            recorder,
        };
        world.map(0, Access::READ_WRITE);
        world
    }

    fn map(&self, page: u64, access: Access) {
        let backing: Arc<dyn Backing> = self.ram.clone();
        self.dma
            .map(Map {
                address: page * PAGE,
                size: PAGE,
                access,
                memory: Some((backing, page * PAGE)),
            })
            .unwrap();
    }

    fn submit(&self, queue: u32, descriptor: &Descriptor) {
        let memory = ClientMemory::from(self.dma.session().unwrap().pinned());
        let client = Client {
            pasid: pasid(1),
            memory: Arc::new(memory),
        };
        let queues = self.device.queues();
        queues.submit(queue, &client, PORTAL, descriptor).unwrap();
    }

    /// A fill of two pages from `page` on, which blocks; its record at 64.
    fn submit_fill(&self, page: u64) {
        let fill = transfer(Opcode::Fill, 64, 0x0707_0707_0707_0707, page * PAGE, 8192);
        self.submit(0, &with_flags(fill, Flags::BLOCK_ON_FAULT));
    }

    fn until_blocked(&self, count: usize) {
        while self.device.groups.groups[0].blocked() != count {
            thread::yield_now();
        }
    }

    fn bytes(&self, address: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.ram.slice(address, length).unwrap().copy_to(&mut bytes);
        bytes
    }

    fn record(&self, address: u64) -> Completion {
        let bytes = self.bytes(address, COMPLETION_SIZE);
        Completion::from_bytes(&bytes.try_into().unwrap())
    }
}

#[test]
fn a_fault_is_waited_for_until_another_thread_maps_the_page() {
    let world = World::new(1);
    world.submit_fill(1);
    world.until_blocked(1);
    thread::scope(|scope| {
        scope.spawn(|| {
            // Of no use.
            world.map(9, Access::READ_WRITE);
            world.map(1, Access::READ_WRITE);
            world.map(2, Access::READ_WRITE);
        });
        world.device.queues().drain_all().unwrap();
    });
    assert_eq!(world.record(64).status, Status::Success.code());
    assert_eq!(world.bytes(PAGE, 8192), [7; 8192]);
    assert_eq!(world.device.groups.groups[0].blocked(), 0);
}

#[test]
fn the_list_of_a_batch_is_waited_for_too() {
    let world = World::new(1);
    let member = recorded(Opcode::NoOp, 128);
    let list = world.ram.slice(3 * PAGE, 128).unwrap();
    for at in [0, 64] {
        list.subslice(at, 64)
            .unwrap()
            .copy_from(zerocopy::IntoBytes::as_bytes(&member));
    }
    let batch = transfer(Opcode::Batch, 64, 3 * PAGE, 0, 2);
    world.submit(0, &with_flags(batch, Flags::BLOCK_ON_FAULT));
    world.until_blocked(1);
    world.map(3, Access::READ);
    world.device.queues().drain_all().unwrap();
    assert_eq!([64, 128].map(|at| world.record(at).status), [1, 1]);
}

#[test]
fn an_abort_gives_up_waiting_and_nothing_is_told() {
    let world = World::new(1);
    world.submit_fill(1);
    world.until_blocked(1);
    assert_eq!(world.device.queues().abort_queue(0), Ok(0));
    assert_eq!(world.record(64).status, 0);
    assert_eq!(world.device.statistics().abandoned, 1);
    // Nothing of the session is left: an unmap is answered at once.
    let quiet = Arc::new(Bell::default());
    world.dma.unmap_all(quiet.hold());
    assert!(quiet.is_rung());
}

#[test]
fn retiring_and_stopping_end_the_wait_with_the_page_fault() {
    for retire in [false, true] {
        let mut world = World::new(1);
        world.map(1, Access::READ_WRITE);
        world.submit_fill(1);
        world.until_blocked(1);
        if retire {
            let retired = Arc::new(Bell::default());
            let (device, _) = device(0, &[]);
            std::mem::replace(&mut world.device, device).retire(retired.hold());
            retired.wait();
        } else {
            world.device.stop();
        }
        let record = world.record(64);
        assert_eq!(record.status, Status::PageFault.code() | 0x80);
        assert_eq!(record.completed.get(), 4096);
        assert_eq!(record.fault_address.get(), 2 * PAGE);
    }
}

#[test]
fn a_session_that_ends_is_given_up_and_its_queue_goes_on() {
    let world = World::new(1);
    world.submit_fill(1);
    // Accepted for the same session's time, and executed after its end.
    let late = interrupting(recorded(Opcode::NoOp, 5 * PAGE), 3);
    world.submit(0, &late);
    world.until_blocked(1);
    let quiet = Arc::new(Bell::default());
    world.dma.block(quiet.hold());
    quiet.wait();
    world.device.queues().drain_all().unwrap();
    assert_eq!(world.record(64).status, 0);
    assert_eq!(world.device.statistics().abandoned, 2);
    assert!(world.recorder.errors.lock().unwrap().is_empty());
    assert!(world.recorder.raised.lock().unwrap().is_empty());
    world.dma.allow();
    world.submit(0, &recorded(Opcode::NoOp, 64));
    world.device.queues().drain_all().unwrap();
    assert_eq!(world.record(64).status, 1);
}

#[test]
fn who_takes_away_memory_in_use_does_not_wait_for_a_page_that_never_comes() {
    let world = World::new(1);
    world.map(1, Access::READ_WRITE);
    world.submit_fill(1);
    world.until_blocked(1);
    let quiet = Arc::new(Bell::default());
    world.dma.unmap(PAGE, PAGE, quiet.hold()).unwrap();
    quiet.wait();
    assert_eq!(world.record(64).status, Status::PageFault.code() | 0x80);
    assert_eq!(world.record(64).completed.get(), 4096);
}

#[test]
fn a_page_that_may_not_be_written_is_not_waited_for() {
    let world = World::new(1);
    world.map(1, Access::READ);
    world.submit_fill(1);
    world.device.queues().drain_all().unwrap();
    assert_eq!(world.record(64).status, Status::PageFault.code() | 0x80);
}

#[test]
fn without_the_flag_or_the_queues_leave_nothing_is_waited_for() {
    let mut world = World::new(1);
    let fill = transfer(Opcode::Fill, 64, 7, PAGE, 64);
    world.submit(0, &fill);
    world.device.queues().drain_all().unwrap();
    assert_eq!(world.record(64).status, Status::PageFault.code() | 0x80);
    world.device.disable(0).unwrap();
    world.device.configure(0, shared(8, 8)).unwrap();
    world.device.enable(0).unwrap();
    world.submit(0, &with_flags(fill, Flags::BLOCK_ON_FAULT));
    world.device.queues().drain_all().unwrap();
    assert_eq!(world.record(64).status, Status::InvalidFlags.code());
}

#[test]
fn waiting_engines_do_not_keep_other_queues_waiting() {
    let world = World::new(2);
    world.submit_fill(1);
    world.submit_fill(4);
    world.until_blocked(2);
    world.submit(1, &recorded(Opcode::NoOp, 128));
    world.device.queues().drain_queue(1).unwrap();
    assert_eq!(world.record(128).status, 1);
    world.device.queues().abort_all();
}
