// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Each command, as the specification has it.
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

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use device::{FAILS, FAILS_WITH, RAISE, SHARED_BAR, TestDevice, VECTORS, serve};
use ims_vfio::layout::{device_info, irq, irq_info, irq_set, region, region_info};
use ims_vfio::{Device, dma};
use ims_vfio_user::layout::{
    DeviceFeature, DeviceInfo, DmaUnmap, IoFdEntry, IoFds, IrqInfo, RegionInfo, SmallWrite,
    SparseArea, SparseMmap, Version, command, dma_unmap, feature, flag,
};
use peer::{OFFER, PATIENCE, Peer, map, memory, set, write_body};
use rustix::event::{EventfdFlags, eventfd};
use zerocopy::{FromBytes, IntoBytes};

const TRIGGER: u32 = irq_set::DATA_EVENTFD | irq_set::ACTION_TRIGGER;

#[test]
fn the_server_answers_the_minor_version_that_is_offered() {
    let serving = serve("minor", TestDevice::new());
    for minor in [0, 1] {
        let mut peer = Peer::connect(&serving.place.0);
        let answer = peer.agree(minor, OFFER);
        let (version, text) = Version::read_from_prefix(&answer.body).unwrap();
        assert_eq!(version, Version { major: 0, minor });
        assert_eq!(text.last(), Some(&0));
        let text: serde_json::Value = serde_json::from_slice(&text[..text.len() - 1]).unwrap();
        let capabilities = &text["capabilities"];
        assert_eq!(capabilities["max_msg_fds"], 16);
        assert_eq!(capabilities["max_data_xfer_size"], 1 << 20);
        assert_eq!(capabilities["write_multiple"], true);
        assert!(capabilities.get("twin_socket").is_none());
    }
}

#[test]
fn device_regions_and_interrupts_are_described() {
    let serving = serve("describe", TestDevice::new());
    let mut peer = Peer::agreed(&serving.place.0);
    let asked = DeviceInfo {
        argsz: 16,
        ..DeviceInfo::default()
    };
    let reply = peer
        .call(command::DEVICE_GET_INFO, asked.as_bytes(), &[])
        .unwrap();
    let info = DeviceInfo::read_from_bytes(&reply.body).unwrap();
    assert_eq!(info.flags, device_info::RESET | device_info::PCI);
    assert_eq!((info.argsz, info.regions, info.irqs), (16, 9, 5));

    let sizes = [0x1000, 0, 0x4000, 0, 0x1_0000, 0, 0, 0x1000, 0];
    for (index, size) in (0..).zip(sizes) {
        let asked = RegionInfo {
            argsz: 32,
            index,
            ..RegionInfo::default()
        };
        let reply = peer
            .call(command::DEVICE_GET_REGION_INFO, asked.as_bytes(), &[])
            .unwrap();
        let info = RegionInfo::read_from_bytes(&reply.body).unwrap();
        assert_eq!((info.index, info.size, info.argsz), (index, size, 32));
        let both = region_info::READ | region_info::WRITE;
        assert_eq!(info.flags, if size > 0 { both } else { 0 });
        assert!(reply.fds.is_empty());
    }
    let none = RegionInfo {
        argsz: 32,
        index: region::COUNT,
        ..RegionInfo::default()
    };
    assert_eq!(
        peer.call(command::DEVICE_GET_REGION_INFO, none.as_bytes(), &[])
            .unwrap_err(),
        22
    );

    let irqs = [1, 4, VECTORS.into(), 1, 1];
    for (index, count) in (0..).zip(irqs) {
        let asked = IrqInfo {
            argsz: 16,
            index,
            ..IrqInfo::default()
        };
        let reply = peer
            .call(command::DEVICE_GET_IRQ_INFO, asked.as_bytes(), &[])
            .unwrap();
        let info = IrqInfo::read_from_bytes(&reply.body).unwrap();
        assert_eq!((info.index, info.count, info.argsz), (index, count, 16));
        assert_ne!(info.flags & irq_info::EVENTFD, 0);
        assert_eq!(
            info.flags & irq_info::NORESIZE == 0,
            [irq::INTX, irq::MSIX].contains(&index)
        );
    }
}

#[test]
fn a_region_that_can_be_mapped_comes_with_its_file_and_its_areas() {
    let serving = serve("sparse", TestDevice::sharing());
    let mut peer = Peer::agreed(&serving.place.0);
    let mut asked = RegionInfo {
        argsz: 32,
        index: SHARED_BAR,
        ..RegionInfo::default()
    };
    let reply = peer
        .call(command::DEVICE_GET_REGION_INFO, asked.as_bytes(), &[])
        .unwrap();
    let short = RegionInfo::read_from_bytes(&reply.body).unwrap();
    assert_ne!(short.flags & region_info::CAPS, 0);
    assert_eq!(short.cap_offset, 0);
    asked.argsz = short.argsz;
    let reply = peer
        .call(command::DEVICE_GET_REGION_INFO, asked.as_bytes(), &[])
        .unwrap();
    let (info, capabilities) = RegionInfo::read_from_prefix(&reply.body).unwrap();
    assert_ne!(info.flags & region_info::MMAP, 0);
    assert_eq!((info.offset, info.cap_offset), (0x4000, 32));
    let (sparse, areas) = SparseMmap::read_from_prefix(capabilities).unwrap();
    assert_eq!(
        (sparse.id, sparse.version, sparse.next, sparse.areas),
        (1, 1, 0, 2)
    );
    let areas: Vec<_> = areas
        .chunks(16)
        .map(|area| SparseArea::read_from_bytes(area).unwrap())
        .map(|area| (area.offset, area.size))
        .collect();
    assert_eq!(areas, [(0, 0x1000), (0x3000, 0x1000)]);
    assert_eq!(reply.fds.len(), 1);
    let theirs = rustix::fs::fstat(&reply.fds[0]).unwrap();
    let ours = rustix::fs::fstat(serving.device.shared.as_ref().unwrap()).unwrap();
    assert_eq!(theirs.st_ino, ours.st_ino);
}

#[test]
fn descriptors_of_a_region_are_shared_by_its_entries() {
    let serving = serve("iofds", TestDevice::new());
    let mut peer = Peer::agreed(&serving.place.0);
    let mut asked = IoFds {
        argsz: 16,
        ..IoFds::default()
    };
    let reply = peer
        .call(command::DEVICE_GET_REGION_IO_FDS, asked.as_bytes(), &[])
        .unwrap();
    let answer = IoFds::read_from_bytes(&reply.body).unwrap();
    assert_eq!((answer.argsz, answer.count), (16 + 2 * 40, 2));
    assert!(reply.fds.is_empty());
    asked.argsz = answer.argsz;
    let reply = peer
        .call(command::DEVICE_GET_REGION_IO_FDS, asked.as_bytes(), &[])
        .unwrap();
    let (answer, entries) = IoFds::read_from_prefix(&reply.body).unwrap();
    let stride = (answer.argsz as usize - size_of::<IoFds>()) / answer.count as usize;
    let entries: Vec<_> = entries
        .chunks(stride)
        .map(|entry| IoFdEntry::read_from_bytes(entry).unwrap())
        .collect();
    assert_eq!(
        entries
            .iter()
            .map(|e| (e.offset, e.size, e.fd_index))
            .collect::<Vec<_>>(),
        [(0x100, 4, 0), (0x104, 4, 0)]
    );
    assert_eq!(
        (entries[0].flags, entries[1].flags, entries[1].data),
        (0, 1, 7)
    );
    assert_eq!(reply.fds.len(), 1);
    rustix::io::write(&reply.fds[0], &1u64.to_ne_bytes()).unwrap();
    let mut count = [0; 8];
    assert_eq!(
        rustix::io::read(&*serving.device.doorbell, &mut count),
        Ok(8)
    );
}

#[test]
fn regions_are_read_and_written_and_a_failure_says_why() {
    let serving = serve("regions", TestDevice::new());
    let mut peer = Peer::agreed(&serving.place.0);
    for length in [1, 2, 4, 8, 64, 3840] {
        let data: Vec<u8> = (0..length).map(|at| (at * 7) as u8).collect();
        peer.write_region(0, 0, &data).unwrap();
        assert_eq!(peer.read_region(0, 0, length).unwrap(), data);
    }
    peer.post(0, 8, &[1, 2, 3, 4]);
    peer.post(0, FAILS, &[0]);
    assert_eq!(peer.read_region(0, 8, 4).unwrap(), [1, 2, 3, 4]);
    assert_eq!(peer.write_region(0, FAILS, &[0]), Err(FAILS_WITH as u32));
    assert_eq!(
        peer.read_region(region::CONFIG, 0, 4).unwrap(),
        [0x49, 0x4d, 0x57, 0x7e]
    );
    for (region, offset, count) in [
        (0, 0x1000, 1),
        (0, 0xfff, 2),
        (0, u64::MAX, 1),
        (0, u64::MAX - 1, 2),
        (1, 0, 1),
        (9, 0, 1),
        (u32::MAX, 0, 1),
        (0, 0, (1 << 20) + 1),
    ] {
        assert_eq!(peer.read_region(region, offset, count), Err(22));
    }
    assert_eq!(peer.write_region(1, 0, &[0]), Err(22));
    assert_eq!(peer.write_region(0, 0xfff, &[0, 0]), Err(22));
}

#[test]
fn several_small_writes_come_in_one_message_if_that_was_agreed() {
    let serving = serve("multi", TestDevice::new());
    let write = |offset, count, byte| SmallWrite {
        offset,
        region: 0,
        count,
        data: [byte; 8],
    };
    let body =
        |writes: &[SmallWrite]| [(writes.len() as u64).as_bytes(), writes.as_bytes()].concat();
    let mut peer = Peer::agreed(&serving.place.0);
    let writes = [write(0, 8, 1), write(8, 2, 2), write(10, 0, 3)];
    let reply = peer
        .call(command::REGION_WRITE_MULTI, &body(&writes), &[])
        .unwrap();
    assert_eq!(reply.body, 3u64.to_ne_bytes());
    assert_eq!(
        peer.read_region(0, 0, 12).unwrap(),
        [1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 0, 0]
    );
    // Up to the one that fails.
    let writes = [write(0, 1, 4), write(0, 9, 5), write(1, 1, 6)];
    let reply = peer
        .call(command::REGION_WRITE_MULTI, &body(&writes), &[])
        .unwrap();
    assert_eq!(reply.body, 1u64.to_ne_bytes());
    assert_eq!(peer.read_region(0, 0, 2).unwrap(), [4, 1]);
    drop(peer);
    let mut peer = Peer::connect(&serving.place.0);
    peer.agree(0, b"{}\0");
    let refused = peer.call(command::REGION_WRITE_MULTI, &body(&writes[..1]), &[]);
    assert_eq!(refused.unwrap_err(), 22);
}

#[test]
fn no_feature_is_offered_and_a_probe_is_told_so() {
    let serving = serve("feature", TestDevice::new());
    let mut peer = Peer::agreed(&serving.place.0);
    for number in [1, 2, 3, 6, 7, 8, 0xffff] {
        for ways in [
            feature::PROBE | feature::GET,
            feature::PROBE | feature::SET,
            feature::GET,
        ] {
            let asked = DeviceFeature {
                argsz: 16,
                flags: number | ways,
            };
            let refused = peer.call(command::DEVICE_FEATURE, asked.as_bytes(), &[]);
            assert_eq!(refused.unwrap_err(), 25, "ENOTTY, as the kernel");
        }
    }
    for command in [command::MIG_DATA_READ, command::MIG_DATA_WRITE] {
        assert_eq!(peer.call(command, &[0; 8], &[]).unwrap_err(), 95);
    }
}

#[test]
fn interrupts_reach_the_clients_eventfds() {
    let serving = serve("irqs", TestDevice::new());
    let mut peer = Peer::agreed(&serving.place.0);
    let fd = |peer: &mut Peer, vector| {
        let fd = eventfd(0, EventfdFlags::NONBLOCK).unwrap();
        let theirs = fd.try_clone().unwrap();
        peer.set_irqs(set(TRIGGER, irq::MSIX, vector, 1), &[], &[theirs])
            .unwrap();
        fd
    };
    let fired = |fd: &std::os::fd::OwnedFd| rustix::io::read(fd, &mut [0; 8]).is_ok();
    // As QEMU does: enabled without a trigger, then one by one, at any time.
    peer.set_irqs(set(TRIGGER, irq::MSIX, 0, 1), &[], &[])
        .unwrap();
    let first = fd(&mut peer, 3);
    peer.write_region(0, RAISE, &3u32.to_le_bytes()).unwrap();
    assert!(fired(&first));
    let last = fd(&mut peer, 63);
    peer.write_region(0, RAISE, &63u32.to_le_bytes()).unwrap();
    assert!(fired(&last) && !fired(&first));
    // A new eventfd in place of the old.
    let second = fd(&mut peer, 3);
    peer.write_region(0, RAISE, &3u32.to_le_bytes()).unwrap();
    assert!(fired(&second) && !fired(&first));
    // By the client itself, and gone.
    let loopback = irq_set::DATA_BOOL | irq_set::ACTION_TRIGGER;
    peer.set_irqs(set(loopback, irq::MSIX, 3, 1), &[1], &[])
        .unwrap();
    assert!(fired(&second));
    peer.set_irqs(set(TRIGGER, irq::MSIX, 3, 1), &[], &[])
        .unwrap();
    peer.write_region(0, RAISE, &3u32.to_le_bytes()).unwrap();
    assert!(!fired(&second));
    let disable = irq_set::DATA_NONE | irq_set::ACTION_TRIGGER;
    peer.set_irqs(set(disable, irq::MSIX, 0, 0), &[], &[])
        .unwrap();
    peer.write_region(0, RAISE, &63u32.to_le_bytes()).unwrap();
    assert!(!fired(&last));
}

#[test]
fn the_pin_is_unmasked_by_an_eventfd_of_the_clients() {
    let serving = serve("pin", TestDevice::new());
    let mut peer = Peer::agreed(&serving.place.0);
    let (pin, unmask) = (
        eventfd(0, EventfdFlags::NONBLOCK).unwrap(),
        eventfd(0, EventfdFlags::NONBLOCK).unwrap(),
    );
    peer.set_irqs(
        set(TRIGGER, irq::INTX, 0, 1),
        &[],
        &[pin.try_clone().unwrap()],
    )
    .unwrap();
    let by_eventfd = irq_set::DATA_EVENTFD | irq_set::ACTION_UNMASK;
    peer.set_irqs(
        set(by_eventfd, irq::INTX, 0, 1),
        &[],
        &[unmask.try_clone().unwrap()],
    )
    .unwrap();
    let fired = || rustix::io::read(&pin, &mut [0; 8]).is_ok();
    serving.device.function().irqs.intx(true);
    assert!(fired());
    assert!(!fired());
    // Still asserted: it comes again when it is unmasked.
    rustix::io::write(&unmask, &1u64.to_ne_bytes()).unwrap();
    let begun = Instant::now();
    while !fired() {
        assert!(begun.elapsed() < PATIENCE);
        std::thread::yield_now();
    }
}

#[test]
fn memory_is_mapped_once_and_unmapped_exactly() {
    let serving = serve("maps", TestDevice::new());
    let mut peer = Peer::agreed(&serving.place.0);
    let file = memory(0x4000);
    rustix::io::pwrite(&file, b"hello", 0x1000).unwrap();
    peer.map(
        map(0x10_0000, 0x2000, 0x1000),
        Some(file.try_clone().unwrap()),
    )
    .unwrap();
    assert_eq!(
        peer.map(map(0x10_1000, 0x1000, 0), Some(file.try_clone().unwrap())),
        Err(17)
    );
    assert_eq!(
        peer.map(
            map(0x20_0000, 0x2000, 0x3000),
            Some(file.try_clone().unwrap())
        ),
        Err(22)
    );
    assert_eq!(
        peer.map(map(0x20_0000, 0, 0), Some(file.try_clone().unwrap())),
        Err(22)
    );
    assert_eq!(peer.map(map(u64::MAX - 0xfff, 0x2000, 0), None), Err(22));
    enable_bus_master(&mut peer);
    let dma = &serving.device.function().dma;
    let mut bytes = [0; 5];
    dma.session().unwrap().read(0x10_0000, &mut bytes).unwrap();
    assert_eq!(&bytes, b"hello");
    assert_eq!(peer.unmap(0x10_0000, 0x1000), Err(22));
    assert_eq!(peer.unmap(0x10_0000, 0x2000), Ok(()));
    assert!(dma.session().unwrap().read(0x10_0000, &mut bytes).is_err());
    for page in 0..4 {
        peer.map(
            map(page << 12, 0x1000, page << 12),
            Some(file.try_clone().unwrap()),
        )
        .unwrap();
    }
    let all = DmaUnmap {
        argsz: 24,
        flags: dma_unmap::ALL,
        ..DmaUnmap::default()
    };
    let reply = peer.call(command::DMA_UNMAP, all.as_bytes(), &[]).unwrap();
    assert_eq!(reply.body, all.as_bytes());
    assert_eq!(dma.maps(), 0);
}

fn enable_bus_master(peer: &mut Peer) {
    peer.write_region(region::CONFIG, 4, &6u16.to_le_bytes())
        .unwrap();
}

#[test]
fn memory_without_a_descriptor_is_reached_by_messages() {
    let serving = serve("messages", TestDevice::new());
    let mut peer = Peer::agreed(&serving.place.0);
    peer.map(map(0x1000, 0x10_0000, 0), None).unwrap();
    enable_bus_master(&mut peer);
    let device = Arc::clone(&serving.device);
    let worker = std::thread::spawn(move || {
        let session = device.function().dma.session().unwrap();
        let mut bytes = [0; 4];
        session.read(0x2000, &mut bytes).unwrap();
        session.write(0x3000, &bytes).unwrap();
        // What the client says went wrong comes back.
        let refused = session.write(0x4000, &bytes).unwrap_err();
        assert_eq!(refused.errno(), rustix::io::Errno::FAULT);
        bytes
    });
    let read = peer.receive().unwrap();
    assert_eq!(read.header.command, command::DMA_READ);
    let (access, _) = read.access();
    assert_eq!((access.address, access.count), (0x2000, 4));
    peer.reply(&read, &[access.as_bytes(), b"data"].concat());
    let write = peer.receive().unwrap();
    assert_eq!(write.header.command, command::DMA_WRITE);
    let (access, data) = write.access();
    assert_eq!(
        (access.address, access.count, data),
        (0x3000, 4, &b"data"[..])
    );
    peer.reply(&write, access.as_bytes());
    let write = peer.receive().unwrap();
    let refusal = write.header.refusal(14);
    peer.raw(refusal.as_bytes(), &[]);
    assert_eq!(&worker.join().unwrap(), b"data");
}

#[test]
fn a_write_by_message_can_be_posted_without_an_answer() {
    let serving = serve("posted", TestDevice::new());
    let mut peer = Peer::agreed(&serving.place.0);
    peer.map(map(0, 0x1000, 0), None).unwrap();
    enable_bus_master(&mut peer);
    serving
        .device
        .function()
        .dma
        .session()
        .unwrap()
        .post(0x10, &[1, 2])
        .unwrap();
    let posted = peer.receive().unwrap();
    assert_eq!(posted.header.flags, flag::NO_REPLY);
    assert_eq!(posted.access().1, [1, 2]);
    // And an answer to it is one nobody asked for.
    peer.reply(&posted, &[]);
    assert!(peer.is_closed());
}

#[test]
fn the_servers_commands_go_by_a_socket_of_their_own_if_agreed() {
    let serving = serve("twin", TestDevice::new());
    let mut peer = Peer::connect(&serving.place.0);
    let offer = b"{\"capabilities\":{\"max_msg_fds\":2,\"twin_socket\":{\"supported\":true}}}\0";
    let mut answer = peer.agree(0, offer);
    let text = String::from_utf8(answer.body[4..].to_vec()).unwrap();
    assert!(text.contains(r#""fd_index":0"#), "{text}");
    let mut twin = Peer::on(UnixStream::from(answer.fds.remove(0)));
    twin.socket.set_nonblocking(false).unwrap();
    peer.map(map(0, 0x1000, 0), None).unwrap();
    enable_bus_master(&mut peer);
    let device = Arc::clone(&serving.device);
    let worker = std::thread::spawn(move || {
        let mut bytes = [0; 2];
        let session = device.function().dma.session().unwrap();
        session.read(0x20, &mut bytes).map(|()| bytes).unwrap()
    });
    let read = twin.receive().unwrap();
    // Meanwhile the other socket is served.
    assert!(peer.read_region(0, 0, 4).is_ok());
    let (access, _) = read.access();
    twin.reply(&read, &[access.as_bytes(), &[5, 6]].concat());
    assert_eq!(worker.join().unwrap(), [5, 6]);
    // A client that closes either is gone.
    drop(twin);
    assert!(peer.is_closed());
}

#[test]
fn a_reset_by_message_or_by_the_guest_resets_everything_but_the_maps() {
    let serving = serve("reset", TestDevice::new());
    let mut peer = Peer::agreed(&serving.place.0);
    peer.map(map(0, 0x1000, 0), Some(memory(0x1000))).unwrap();
    let pcie = find_pcie(&mut peer);
    for by_guest in [false, true] {
        peer.write_region(0, 0, &[1]).unwrap();
        enable_bus_master(&mut peer);
        if by_guest {
            let control = u64::from(pcie) + 8;
            peer.write_region(region::CONFIG, control, &0x8000u16.to_le_bytes())
                .unwrap();
        } else {
            peer.call(command::DEVICE_RESET, &[], &[]).unwrap();
        }
        assert_eq!(peer.read_region(0, 0, 1).unwrap(), [0]);
        assert_eq!(peer.read_region(region::CONFIG, 4, 2).unwrap(), [0, 0]);
        assert_eq!(serving.device.function().dma.maps(), 1);
        assert!(matches!(
            serving.device.function().dma.session(),
            Err(dma::DmaError::Blocked)
        ));
    }
    assert_eq!(serving.device.resets.load(Ordering::Relaxed), 2);
}

fn find_pcie(peer: &mut Peer) -> u8 {
    let mut at = peer.read_region(region::CONFIG, 0x34, 1).unwrap()[0];
    while at != 0 {
        let capability = peer.read_region(region::CONFIG, at.into(), 2).unwrap();
        if capability[0] == 0x10 {
            return at;
        }
        at = capability[1];
    }
    panic!("no PCI Express capability");
}

#[test]
fn commands_are_executed_in_order_and_answered_together() {
    let serving = serve("pipeline", TestDevice::new());
    let mut peer = Peer::agreed(&serving.place.0);
    let mut bytes = Vec::new();
    for id in 0..100u16 {
        let body = write_body(0, 0, &id.to_le_bytes());
        let header = ims_vfio_user::layout::Header {
            id,
            command: command::REGION_WRITE,
            size: (16 + body.len()) as u32,
            flags: 0,
            error: 0,
        };
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(&body);
    }
    peer.raw(&bytes, &[]);
    for id in 0..100 {
        let reply = peer.receive().unwrap();
        assert_eq!((reply.header.id, reply.header.flags), (id, flag::REPLY));
    }
    assert_eq!(peer.read_region(0, 0, 2).unwrap(), 99u16.to_le_bytes());
}
