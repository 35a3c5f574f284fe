// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Clients that attach to what is served.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use ims_dsa::front::Parameters;
use ims_dsa::layout::command::Command;
use ims_dsa::layout::portal::PORTAL_SIZE;
use ims_dsa::layout::registers;
use ims_dsa::layout::{Descriptor, Flags, Opcode};
use ims_vfio::layout::{irq, irq_set, region};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use vfio_user::Client;
use zerocopy::IntoBytes;

use super::super::plan::Shape;
use super::running::{Running, interface, name};
use crate::control::message::{Answer, DeviceStatistics, Request};

/// BARs: registers and portals.
const REGISTERS: u32 = 0;
const PORTALS: u32 = 2;
/// Where the client's memory is, and where in it the completion record.
const MEMORY: u64 = 0x10_0000;
const SIZE: u64 = 0x10_0000;
const RECORD: u64 = 0x40;
/// Longer than anything takes: for what must happen.
const LONG: Duration = Duration::from_secs(30);

/// A driver of a virtual DSA, in user space.
struct Driver {
    client: Client,
    memory: OwnedFd,
    triggers: Vec<OwnedFd>,
}

impl Driver {
    /// Attaches with memory, bus mastering and a trigger for each of two vectors.
    fn attach(socket: &Path) -> Self {
        let mut client = Client::new(socket).unwrap();
        let memory = memfd_create("client", MemfdFlags::CLOEXEC).unwrap();
        ftruncate(&memory, SIZE).unwrap();
        client.dma_map(0, MEMORY, SIZE, memory.as_raw_fd()).unwrap();
        client.region_write(region::CONFIG, 4, &[6, 0]).unwrap();
        let trigger = |_| eventfd(0, EventfdFlags::NONBLOCK).unwrap();
        let triggers: Vec<_> = (0..2).map(trigger).collect();
        let fds: Vec<_> = triggers.iter().map(AsRawFd::as_raw_fd).collect();
        let flags = irq_set::DATA_EVENTFD | irq_set::ACTION_TRIGGER;
        client.set_irqs(irq::MSIX, flags, 0, 2, &fds).unwrap();
        Self {
            client,
            memory,
            triggers,
        }
    }

    fn read(&mut self, register: u64) -> u32 {
        let mut word = [0; 4];
        self.client
            .region_read(REGISTERS, register, &mut word)
            .unwrap();
        u32::from_le_bytes(word)
    }

    /// Gives a command and waits for its end; returns its result.
    fn command(&mut self, command: Command, operand: u32) -> u32 {
        let word = (command as u32) << 20 | operand;
        self.client
            .region_write(REGISTERS, registers::CMD, &word.to_le_bytes())
            .unwrap();
        let begun = Instant::now();
        loop {
            let status = self.read(registers::CMDSTATUS);
            if status >> 31 == 0 {
                assert_eq!(status & 0xff, 0, "{command:?}");
                return status >> 8 & 0xffff;
            }
            assert!(begun.elapsed() < LONG, "{command:?} does not end");
        }
    }

    /// Stores a descriptor to the limited portal, as a CPU without MOVDIR64B does.
    fn submit(&mut self, descriptor: &Descriptor) {
        for (at, eight) in (0..).step_by(8).zip(descriptor.as_bytes().chunks(8)) {
            self.client
                .region_write(PORTALS, PORTAL_SIZE + at, eight)
                .unwrap();
        }
    }

    /// Waits for the trigger of a vector.
    fn interrupted(&self, vector: usize) {
        let trigger = &self.triggers[vector];
        let mut fds = [PollFd::new(trigger, PollFlags::IN)];
        let limit = Timespec::try_from(LONG).unwrap();
        assert_eq!(poll(&mut fds, Some(&limit)).unwrap(), 1, "vector {vector}");
        let mut count = [0; 8];
        rustix::io::read(trigger, &mut count).unwrap();
        assert_eq!(u64::from_ne_bytes(count), 1);
    }
}

/// The statistics of the one device there is, as soon as they are `right`: engines
/// and CPUs count after what they count can be seen.
fn counted(running: &Running, right: impl Fn(&DeviceStatistics) -> bool) -> DeviceStatistics {
    let begun = Instant::now();
    loop {
        let device = running.statistics().devices.remove(0);
        if right(&device) || begun.elapsed() > LONG {
            return device;
        }
        std::thread::yield_now();
    }
}

#[test]
fn what_a_client_did_is_counted_and_shown() {
    let running = Running::new("work", &[("a", interface())]);
    let mut driver = Driver::attach(&running.scratch.join("a.sock"));
    driver.command(Command::EnableDevice, 0);
    driver.command(Command::EnableQueue, 0);
    let handle = driver.command(Command::RequestHandle, 1);
    let flags = Flags::RECORD_VALID | Flags::REQUEST_RECORD | Flags::REQUEST_INTERRUPT;
    driver.submit(&Descriptor {
        command: (u32::from(Opcode::NoOp as u8) << 24 | flags.bits()).into(),
        completion: (MEMORY + RECORD).into(),
        handle: u16::try_from(handle).unwrap().into(),
        ..Descriptor::default()
    });
    driver.interrupted(1);
    let mut status = [0];
    rustix::io::pread(&driver.memory, &mut status, RECORD).unwrap();
    assert_eq!(status, [1], "the record is there before its interrupt");

    let device = counted(&running, |device| {
        device.queues[0].completed == Some(1)
            && device.interrupts.iter().any(|it| it.delivered == 1)
    });
    assert_eq!(
        (device.device.state.as_str(), device.device.maps),
        ("enabled", 1)
    );
    let queue = &device.queues[0];
    assert_eq!(
        (queue.submitted, queue.completed, queue.refused),
        (1, Some(1), 0)
    );
    let vector = device.interrupts.iter().find(|it| it.vector == 1).unwrap();
    assert_eq!(vector.kind, "ims");
    assert_eq!(vector.handle, Some(handle));
    assert_eq!(vector.index, Some(handle));
    assert!(vector.target.is_some());
    assert_eq!((vector.raised, vector.delivered), (1, 1));
    assert_eq!(
        (
            vector.coalesced,
            vector.held,
            vector.faulted,
            vector.dropped
        ),
        (0, 0, 0, 0)
    );
    assert_eq!(running.statistics().parent.unwrap().ims_used, 1);

    let revoked = running.ask(&Request::Revoke { name: name("a") }).unwrap();
    assert!(
        matches!(revoked, Answer::Revoked { handles: 1, .. }),
        "{revoked:?}"
    );
    let device = counted(&running, |_| true);
    assert!(device.interrupts.iter().all(|it| it.handle.is_none()));

    // Destroyed, it lets go of its client and of its entry.
    let destroyed = running.ask(&Request::Destroy { name: name("a") }).unwrap();
    assert!(matches!(destroyed, Answer::Destroyed { quiet: true, .. }));
    let mut word = [0; 4];
    assert!(driver.client.region_read(REGISTERS, 0, &mut word).is_err());
    assert_eq!(running.statistics().parent.unwrap().ims_used, 0);
}

#[test]
fn a_client_finds_what_was_planned() {
    let parameters = Parameters {
        version: 0x100,
        ims_entries: 512,
        ..Parameters::default()
    };
    let function = Shape::Physical(Box::new(parameters));
    let running = Running::new("found", &[("f", function), ("v", interface())]);
    for (name, version, store) in [("f", 0x100, 2), ("v", 0x200, 0)] {
        let mut driver = Driver::attach(&running.scratch.join(&format!("{name}.sock")));
        let mut id = [0; 4];
        driver
            .client
            .region_read(region::CONFIG, 0, &mut id)
            .unwrap();
        assert_eq!(u32::from_le_bytes(id), 0x0b25_8086);
        assert_eq!(driver.read(registers::VERSION), version, "{name}");
        // GENCAP 30:25: the store's entries, in 256.
        assert_eq!(driver.read(registers::GENCAP) >> 25 & 0x3f, store, "{name}");
    }
}

#[test]
fn a_physical_function_is_listed_and_lives_as_long_as_its_server() {
    let function = Shape::Physical(Box::default());
    let mut running = Running::new("physical", &[("f", function)]);
    let statistics = running.statistics();
    assert_eq!(statistics.parent, None, "nobody needs one");
    assert_eq!(statistics.devices[0].device.state, "disabled");
    let mut driver = Driver::attach(&running.scratch.join("f.sock"));
    assert_eq!(driver.read(registers::GENSTS) & 3, 0);
    let refusal = running
        .ask(&Request::Destroy { name: name("f") })
        .unwrap_err();
    assert!(
        refusal.message.contains("stop its server instead"),
        "{refusal}"
    );
    running.create("v", None).unwrap();
    assert_eq!(running.statistics().parent.unwrap().interfaces, 1);
    assert!(
        running.serving.take().unwrap().stop(),
        "with a client there"
    );
}
