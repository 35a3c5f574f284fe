// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Clients that do not keep to the protocol: each gets its error or a closed
//! connection, costs nothing that stays, and disturbs nobody else.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test"
)]

mod device;
mod peer;

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use device::TestDevice;
use ims_vfio::Device;
use ims_vfio::layout::{irq, irq_set, region};
use ims_vfio_user::layout::{
    DmaMap, HEADER, Header, IrqInfo, RegionInfo, Version, command, dma_map, flag,
};
use ims_vfio_user::{Limits, Server};
use peer::{OFFER, PATIENCE, Peer, Place, map, memory, set, write_body};
use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::ftruncate;
use zerocopy::IntoBytes;

/// Descriptors are counted for the whole process: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

struct Serving {
    device: Arc<TestDevice>,
    server: Option<Server>,
    place: Place,
    descriptors: usize,
    _alone: MutexGuard<'static, ()>,
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn serve(name: &str, limits: Limits) -> Serving {
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let place = Place::new(name);
    let device = Arc::new(TestDevice::new());
    // Listener, epoll and wake-up.
    let descriptors = descriptors() + 3;
    let server = Server::start(limits).unwrap();
    server
        .listen(&place.0, Arc::clone(&device) as Arc<dyn Device>)
        .unwrap();
    Serving {
        device,
        server: Some(server),
        place,
        descriptors,
        _alone: alone,
    }
}

impl Serving {
    /// A sound client is served, and nothing is left of the last one.
    fn settled(&self) {
        let mut peer = Peer::agreed(&self.place.0);
        peer.write_region(0, 0, &[1, 2, 3, 4]).unwrap();
        assert_eq!(peer.read_region(0, 0, 4).unwrap(), [1, 2, 3, 4]);
        assert_eq!(self.device.function().dma.maps(), 0);
    }

    fn has_leaked_nothing(&self) {
        self.settled();
        let begun = Instant::now();
        // The server closes its end in its own time.
        while descriptors() != self.descriptors {
            assert!(
                begun.elapsed() < PATIENCE,
                "{} descriptors, {} at first",
                descriptors(),
                self.descriptors
            );
            std::thread::yield_now();
        }
    }

    fn peer(&self) -> Peer {
        Peer::agreed(&self.place.0)
    }
}

fn header(command: u16, size: u32) -> Header {
    Header {
        id: 7,
        command,
        size,
        ..Header::default()
    }
}

fn files(count: usize) -> Vec<OwnedFd> {
    (0..count)
        .map(|_| eventfd(0, EventfdFlags::CLOEXEC).unwrap())
        .collect()
}

#[test]
fn bytes_that_cannot_be_a_message_close_the_connection() {
    let serving = serve("sizes", Limits::default());
    for size in [0, 1, 15, (2 << 20), u32::MAX] {
        let mut peer = serving.peer();
        peer.raw(header(command::REGION_READ, size).as_bytes(), &[]);
        assert!(peer.is_closed(), "{size}");
    }
    serving.has_leaked_nothing();
}

#[test]
fn every_command_may_come_a_byte_at_a_time() {
    let serving = serve("bytes", Limits::default());
    let mut peer = Peer::connect(&serving.place.0);
    let version = [Version::default().as_bytes(), OFFER].concat();
    let commands: [(u16, Vec<u8>, usize); 4] = [
        (command::VERSION, version, 0),
        (command::REGION_WRITE, write_body(0, 0, &[9; 8]), 0),
        (
            command::DEVICE_SET_IRQS,
            set(
                irq_set::DATA_EVENTFD | irq_set::ACTION_TRIGGER,
                irq::MSIX,
                0,
                2,
            )
            .as_bytes()
            .to_vec(),
            2,
        ),
        (command::DMA_MAP, map(0, 0x1000, 0).as_bytes().to_vec(), 1),
    ];
    for (command, body, fds) in commands {
        let size = (HEADER + body.len()) as u32;
        let bytes = [header(command, size).as_bytes(), &body].concat();
        let sent = match command {
            command::DMA_MAP => vec![memory(0x1000)],
            _ => files(fds),
        };
        // Descriptors come with any byte, here one in the middle of the header.
        for (at, byte) in bytes.iter().enumerate() {
            peer.raw(
                std::slice::from_ref(byte),
                if at == 5 { &sent } else { &[] },
            );
        }
        let reply = peer.receive().unwrap();
        assert_eq!(
            (reply.header.id, reply.header.flags),
            (7, flag::REPLY),
            "{command}"
        );
    }
    drop(peer);
    serving.has_leaked_nothing();
}

#[test]
fn a_client_that_stops_in_the_middle_of_anything_leaves_nothing() {
    let serving = serve("truncated", Limits::default());
    let body = map(0, 0x1000, 0);
    let whole = [
        header(command::DMA_MAP, (HEADER + 32) as u32).as_bytes(),
        body.as_bytes(),
    ]
    .concat();
    for length in 1..whole.len() {
        let mut peer = serving.peer();
        peer.raw(&whole[..length], &[memory(0x1000)]);
    }
    serving.has_leaked_nothing();
}

#[test]
fn the_first_message_agrees_on_a_version_or_is_the_last() {
    let serving = serve("first", Limits::default());
    let json = |text: &[u8]| [Version::default().as_bytes(), text].concat();
    let other = Version { major: 1, minor: 0 };
    let firsts = [
        (command::REGION_READ, vec![0; 16]),
        (command::VERSION, vec![]),
        (command::VERSION, vec![0; 3]),
        (command::VERSION, other.as_bytes().to_vec()),
        (command::VERSION, json(b"{")),
        (command::VERSION, json(b"{\"capabilities\":[]}")),
        (command::VERSION, json(&[0xff; 1000])),
        (
            command::VERSION,
            json(&[vec![b'['; 1 << 16], vec![0]].concat()),
        ),
        (u16::MAX, vec![]),
    ];
    for (command, body) in firsts {
        let mut peer = Peer::connect(&serving.place.0);
        peer.command(command, 0, &body, &[]);
        let refusal = peer.receive().expect("an error, and then the end");
        assert_eq!(refusal.header.flags, flag::REPLY | flag::ERROR);
        assert!(peer.is_closed());
    }
    let mut peer = serving.peer();
    let again = peer.call(command::VERSION, &json(OFFER), &[]);
    assert_eq!(again.unwrap_err(), 22, "only once");
    assert!(peer.read_region(0, 0, 4).is_ok());
    drop(peer);
    serving.has_leaked_nothing();
}

#[test]
fn unknown_commands_and_wrong_lengths_are_errors_and_the_connection_goes_on() {
    let serving = serve("unknown", Limits::default());
    let mut peer = serving.peer();
    for command in [
        0,
        command::DMA_READ,
        command::DMA_WRITE,
        14,
        19,
        0x7fff,
        u16::MAX,
    ] {
        assert_eq!(
            peer.call(command, &[0; 32], &[]).unwrap_err(),
            22,
            "{command}"
        );
    }
    for command in 2..=18 {
        for length in 0..64 {
            let sound = [
                (command::DEVICE_RESET, 0),
                (command::REGION_READ, 16),
                (command::REGION_WRITE, 16),
                (command::REGION_WRITE_MULTI, 8),
            ];
            if !sound.contains(&(command, length)) {
                assert!(
                    peer.call(command, &vec![0; length], &[]).is_err(),
                    "{command} {length}"
                );
            }
        }
    }
    assert!(peer.read_region(0, 0, 4).is_ok());
    drop(peer);
    serving.has_leaked_nothing();
}

#[test]
fn replies_nobody_asked_for_close_the_connection() {
    let serving = serve("replies", Limits::default());
    for command in [
        command::DMA_READ,
        command::DMA_WRITE,
        command::REGION_READ,
        99,
    ] {
        for flags in [flag::REPLY, flag::REPLY | flag::ERROR] {
            let mut peer = serving.peer();
            peer.command(command, flags, &[], &[]);
            assert!(peer.is_closed());
        }
    }
    serving.has_leaked_nothing();
}

#[test]
fn descriptors_where_none_belong_are_closed_and_the_command_refused() {
    let serving = serve("where", Limits::default());
    let mut peer = serving.peer();
    for (command, body) in [
        (command::DEVICE_RESET, vec![]),
        (command::REGION_READ, vec![0; 16]),
        (
            command::DMA_UNMAP,
            peer::unmap(0, 0x1000).as_bytes().to_vec(),
        ),
        (u16::MAX, vec![]),
    ] {
        assert_eq!(peer.call(command, &body, &files(3)).unwrap_err(), 22);
    }
    assert_eq!(
        peer.call(command::DMA_MAP, map(0, 0x1000, 0).as_bytes(), &files(2))
            .unwrap_err(),
        22
    );
    drop(peer);
    let mut peer = serving.peer();
    peer.command(command::DEVICE_RESET, 0, &[], &files(17));
    assert!(peer.is_closed(), "more than was agreed on");
    drop(peer);
    serving.has_leaked_nothing();
}

#[test]
fn files_that_are_no_memory_and_ranges_that_wrap_are_refused() {
    let serving = serve("ranges", Limits::default());
    let mut peer = serving.peer();
    let pipe = rustix::pipe::pipe().unwrap().0;
    let no_memory = [
        pipe,
        files(1).remove(0),
        std::fs::File::open("/").unwrap().into(),
        std::fs::File::open("/dev/null").unwrap().into(),
    ];
    for file in no_memory {
        assert!(peer.map(map(0, 0x1000, 0), Some(file)).is_err());
    }
    let file = || Some(memory(0x2000));
    for (address, size, offset) in [
        (u64::MAX, 2, 0),
        (u64::MAX - 0xfff, 0x2000, 0),
        (0, u64::MAX, 0),
        (0, 0x1000, u64::MAX),
        (0, 0x1000, u64::MAX - 0xfff),
        (0, 0x1001, 0x1000),
        (0, 0, 0),
        (0, u64::MAX, u64::MAX),
    ] {
        let refused = peer.map(map(address, size, offset), file());
        assert!(refused.is_err(), "{address:#x} {size:#x} {offset:#x}");
        assert!(peer.unmap(address, size).is_err());
    }
    let unknown = DmaMap {
        flags: 1 << 4,
        ..map(0, 0x1000, 0)
    };
    assert_eq!(peer.map(unknown, file()), Err(22));
    let read_only: OwnedFd = std::fs::File::open("/proc/self/exe").unwrap().into();
    assert!(
        peer.map(map(0, 0x1000, 0), Some(read_only.try_clone().unwrap()))
            .is_err()
    );
    let reading = DmaMap {
        flags: dma_map::READ,
        ..map(0, 0x1000, 0)
    };
    peer.map(reading, Some(read_only)).unwrap();
    peer.write_region(region::CONFIG, 4, &[6, 0]).unwrap();
    let session = serving.device.function().dma.session().unwrap();
    let mut magic = [0; 4];
    session.read(0, &mut magic).unwrap();
    assert_eq!(&magic, b"\x7fELF");
    assert!(session.write(0, &[0]).is_err());
    drop(session);
    drop(peer);
    serving.has_leaked_nothing();
}

#[test]
fn interrupts_of_which_there_are_none_cost_nothing() {
    let serving = serve("none", Limits::default());
    let mut peer = serving.peer();
    let trigger = irq_set::DATA_EVENTFD | irq_set::ACTION_TRIGGER;
    for (index, start, count) in [
        (irq::MSIX, 0, u32::MAX),
        (irq::MSIX, u32::MAX, 1),
        (irq::MSIX, u32::MAX, u32::MAX),
        (irq::MSIX, 64, 1),
        (irq::MSIX, 1, 64),
        (irq::COUNT, 0, 1),
        (u32::MAX, 0, 1),
    ] {
        assert_eq!(
            peer.set_irqs(set(trigger, index, start, count), &[], &[]),
            Err(22)
        );
    }
    // What cannot be a trigger.
    let pipe = rustix::pipe::pipe().unwrap().1;
    assert_eq!(
        peer.set_irqs(set(trigger, irq::MSIX, 0, 1), &[], &[pipe]),
        Err(22)
    );
    // Interrupt and region indexes there are none of.
    for index in [5, 9, 1000, u32::MAX] {
        let irq = IrqInfo {
            argsz: 16,
            index,
            ..IrqInfo::default()
        };
        let region = RegionInfo {
            argsz: 32,
            index: index.max(9),
            ..RegionInfo::default()
        };
        assert!(
            peer.call(command::DEVICE_GET_IRQ_INFO, irq.as_bytes(), &[])
                .is_err()
        );
        assert!(
            peer.call(command::DEVICE_GET_REGION_INFO, region.as_bytes(), &[])
                .is_err()
        );
    }
    drop(peer);
    serving.has_leaked_nothing();
}

#[test]
fn an_eventfd_handed_over_full_and_blocking_blocks_nobody() {
    let serving = serve("full", Limits::default());
    let mut peer = serving.peer();
    let full = eventfd(0, EventfdFlags::CLOEXEC).unwrap();
    rustix::io::write(&full, &(u64::MAX - 1).to_ne_bytes()).unwrap();
    let trigger = irq_set::DATA_EVENTFD | irq_set::ACTION_TRIGGER;
    peer.set_irqs(set(trigger, irq::MSIX, 0, 1), &[], &[full])
        .unwrap();
    peer.write_region(0, device::RAISE, &0u32.to_le_bytes())
        .unwrap();
    let loopback = irq_set::DATA_NONE | irq_set::ACTION_TRIGGER;
    peer.set_irqs(set(loopback, irq::MSIX, 0, 1), &[], &[])
        .unwrap();
    assert!(peer.read_region(0, 0, 4).is_ok());
    drop(peer);
    serving.has_leaked_nothing();
}

#[test]
fn a_client_that_truncates_its_memory_harms_itself_alone() {
    let serving = serve("truncate", Limits::default());
    let mut peer = serving.peer();
    let file = memory(0x10_0000);
    peer.map(map(0, 0x10_0000, 0), Some(file.try_clone().unwrap()))
        .unwrap();
    peer.write_region(region::CONFIG, 4, &[6, 0]).unwrap();
    let session = serving.device.function().dma.session().unwrap();
    session.write(0x8_0000, &[1; 64]).unwrap();
    ftruncate(&file, 0).unwrap();
    let mut bytes = [0; 64];
    assert!(session.read(0x8_0000, &mut bytes).is_err());
    assert!(session.write(0x9_0000, &bytes).is_err());
    drop(session);
    drop(file);
    assert!(peer.read_region(0, 0, 4).is_ok());
    drop(peer);
    serving.has_leaked_nothing();
}

#[test]
fn passing_a_limit_is_an_error_for_that_client_alone() {
    let limits = Limits {
        data_xfer_size: 4096,
        dma_maps: 3,
        msg_fds: 2,
        ..Limits::default()
    };
    let serving = serve("limits", limits);
    let mut peer = serving.peer();
    for page in 0..3 {
        peer.map(map(page << 12, 0x1000, 0), Some(memory(0x1000)))
            .unwrap();
    }
    assert_eq!(peer.map(map(3 << 12, 0x1000, 0), None), Err(28), "ENOSPC");
    peer.unmap(0, 0x1000).unwrap();
    peer.map(map(3 << 12, 0x1000, 0), None).unwrap();
    assert_eq!(peer.read_region(4, 0, 4096).unwrap().len(), 4096);
    assert_eq!(peer.read_region(4, 0, 4097), Err(22));
    let trigger = irq_set::DATA_EVENTFD | irq_set::ACTION_TRIGGER;
    peer.set_irqs(set(trigger, irq::MSIX, 0, 2), &[], &files(2))
        .unwrap();
    peer.command(
        command::DEVICE_SET_IRQS,
        0,
        set(trigger, irq::MSIX, 0, 3).as_bytes(),
        &files(3),
    );
    assert!(peer.is_closed());
    drop(peer);
    let mut peer = serving.peer();
    peer.command(
        command::REGION_WRITE,
        0,
        &write_body(4, 0, &[0; 16384]),
        &[],
    );
    assert!(peer.is_closed());
    drop(peer);
    serving.has_leaked_nothing();
}

#[test]
fn everything_is_given_back_when_the_server_goes() {
    let mut serving = serve("gone", Limits::default());
    let mut peer = serving.peer();
    let trigger = irq_set::DATA_EVENTFD | irq_set::ACTION_TRIGGER;
    for vector in 0..4 {
        peer.set_irqs(set(trigger, irq::MSIX, vector * 16, 16), &[], &files(16))
            .unwrap();
    }
    peer.map(map(0, 0x1000, 0), Some(memory(0x1000))).unwrap();
    serving.server.take().unwrap().stop();
    assert!(peer.is_closed());
    assert!(!serving.place.0.exists());
    assert_eq!(serving.device.function().dma.maps(), 0);
    drop(peer);
    assert_eq!(descriptors(), serving.descriptors - 3);
}
