// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Files as memory, and what clients do to them.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{MemfdFlags, Mode, ftruncate, memfd_create, open};
use rustix::io::{Errno, dup};
use rustix::mm::{MapFlags, ProtFlags, mmap};
use rustix::param::page_size;

use super::*;

const SIZE: u64 = 0x10_0000;

fn memory(size: u64) -> OwnedFd {
    let file = memfd_create("memory", MemfdFlags::CLOEXEC).unwrap();
    ftruncate(&file, size).unwrap();
    file
}

fn bytes(backing: &dyn Backing, offset: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0xee; length];
    backing.slice(offset, length).unwrap().copy_to(&mut bytes);
    bytes
}

/// Whether two answers share a mapping.
fn same(one: &Arc<dyn Backing>, other: &Arc<dyn Backing>) -> bool {
    std::ptr::addr_eq(Arc::as_ptr(one), Arc::as_ptr(other))
}

/// How many descriptors of this process name the file.
fn descriptors(file: &OwnedFd) -> usize {
    let inode = fstat(file).unwrap().st_ino;
    let listed = std::fs::read_dir("/proc/self/fd").unwrap();
    listed
        .filter_map(|entry| std::fs::metadata(entry.ok()?.path()).ok())
        .filter(|metadata| std::os::unix::fs::MetadataExt::ino(metadata) == inode)
        .count()
}

#[test]
fn a_file_is_mapped_once_however_many_descriptors_come() {
    let files = Files::default();
    let file = memory(SIZE);
    let page = u64::try_from(page_size()).unwrap();
    let pages: Vec<_> = (0..SIZE / page)
        .map(|at| {
            let fd = dup(&file).unwrap();
            files
                .backing(fd, at * page, page, Access::READ_WRITE)
                .unwrap()
        })
        .collect();
    assert_eq!(files.mappings(), 1);
    assert_eq!(descriptors(&file), 1);
    let (first, _) = &pages[0];
    for (at, (backing, offset)) in (0..).zip(&pages) {
        assert_eq!(*offset, at * page);
        assert!(same(backing, first));
        let slice = backing.slice(*offset, 1).unwrap();
        slice.copy_from(&[u8::try_from(at % 251).unwrap()]);
    }
    let mut whole = vec![0; usize::try_from(SIZE).unwrap()];
    rustix::io::pread(&file, &mut whole, 0).unwrap();
    assert!(
        whole
            .chunks(page_size())
            .enumerate()
            .all(|(at, page)| usize::from(page[0]) == at % 251)
    );
    drop(pages);
    assert_eq!(files.mappings(), 0);
}

#[test]
fn what_is_only_read_is_mapped_apart() {
    let files = Files::default();
    let file = memory(SIZE);
    let get = |access| files.backing(dup(&file).unwrap(), 0, 1, access).unwrap().0;
    let (read, write) = (get(Access::READ), get(Access::READ_WRITE));
    assert!(!same(&read, &write));
    assert!(same(&write, &get(Access::WRITE)));
    write.slice(5, 1).unwrap().copy_from(&[7_u8]);
    assert_eq!(bytes(&*read, 5, 1), [7]);
}

#[test]
fn a_file_that_has_grown_is_mapped_anew_and_the_old_mapping_lives_on() {
    let files = Files::default();
    let file = memory(0x1000);
    let get = |offset| files.backing(dup(&file).unwrap(), offset, 0x1000, Access::READ_WRITE);
    let (old, _) = get(0).unwrap();
    assert_eq!(get(0x1000).err(), Some(MemoryError::Range));
    ftruncate(&file, 0x3000).unwrap();
    // What the old mapping has needs no new one.
    assert!(same(&old, &get(0).unwrap().0));
    let (new, offset) = get(0x2000).unwrap();
    assert!(!same(&old, &new));
    assert!(same(&new, &get(0).unwrap().0));
    old.slice(3, 1).unwrap().copy_from(&[9_u8]);
    assert_eq!(bytes(&*new, 3, 1), [9]);
    assert!(new.slice(offset, 0x1000).is_some());
    assert!(old.slice(0x1000, 1).is_none());
    assert!(!old.lost() && !new.lost());
}

#[test]
fn a_backing_lends_nothing_beyond_its_file() {
    let files = Files::default();
    let (backing, _) = files
        .backing(memory(0x1800), 0, 0x1800, Access::READ)
        .unwrap();
    assert!(backing.slice(0, 0x1800).is_some());
    assert!(backing.slice(0x1800, 0).is_some());
    for (offset, length) in [
        (0x1800, 1),
        (0, 0x1801),
        (u64::MAX, 1),
        (1, usize::MAX),
        (0x1801, 0),
    ] {
        assert!(backing.slice(offset, length).is_none());
    }
}

#[test]
fn what_cannot_be_memory_is_refused() {
    let files = Files::default();
    let path = format!("/proc/self/fd/{}", {
        use std::os::fd::AsRawFd;
        let kept = Box::leak(Box::new(memory(SIZE)));
        // Another file would be there already mapped for writing.
        let mapped = files.backing(dup(&*kept).unwrap(), 0, 1, Access::READ_WRITE);
        std::mem::forget(mapped);
        kept.as_raw_fd()
    });
    let opened = |flags| open(path.as_str(), flags | OFlags::CLOEXEC, Mode::empty()).unwrap();
    let special = |path| open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).unwrap();
    let (pipe, _other) = rustix_pipe();
    let (socket, _peer) = std::os::unix::net::UnixStream::pair().unwrap();
    let event = rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC).unwrap();
    let not_memory = [
        pipe,
        socket.into(),
        event,
        special("/"),
        special("/dev/null"),
    ];
    for fd in not_memory {
        let refused = files.backing(fd, 0, 1, Access::READ);
        assert_eq!(refused.err(), Some(MemoryError::NotMemory));
    }
    let table = [
        (OFlags::RDONLY, Access::READ_WRITE, MemoryError::Direction),
        (OFlags::RDONLY, Access::WRITE, MemoryError::Direction),
        (OFlags::WRONLY, Access::WRITE, MemoryError::Direction),
        (OFlags::WRONLY, Access::READ, MemoryError::Direction),
        (OFlags::PATH, Access::READ, MemoryError::NotOpen),
    ];
    for (flags, access, error) in table {
        let refused = files.backing(opened(flags), 0, 1, access);
        assert_eq!(refused.err(), Some(error));
    }
    for (offset, size) in [
        (0, 0),
        (0, SIZE + 1),
        (SIZE, 1),
        (u64::MAX, 1),
        (1, u64::MAX),
        (u64::MAX, u64::MAX),
    ] {
        let refused = files.backing(opened(OFlags::RDWR), offset, size, Access::READ);
        assert_eq!(refused.err(), Some(MemoryError::Range));
    }
    assert!(
        files
            .backing(opened(OFlags::RDONLY), 0, SIZE, Access::READ)
            .is_ok()
    );
    assert_eq!(MemoryError::Range.errno(), Errno::INVAL);
    assert_eq!(MemoryError::Map(Errno::NOMEM).errno(), Errno::NOMEM);
}

fn rustix_pipe() -> (OwnedFd, OwnedFd) {
    let (reader, writer) = std::io::pipe().unwrap();
    (reader.into(), writer.into())
}

#[test]
fn a_file_made_shorter_reads_as_zeros_and_says_that_it_is_lost() {
    let files = Files::default();
    let file = memory(SIZE);
    let get = || files.backing(dup(&file).unwrap(), 0, SIZE, Access::READ_WRITE);
    let (backing, _) = get().unwrap();
    let length = usize::try_from(SIZE).unwrap();
    backing
        .slice(0, length)
        .unwrap()
        .copy_from(&vec![5_u8; length]);
    assert!(bytes(&*backing, 0, length).iter().all(|byte| *byte == 5));
    ftruncate(&file, 0).unwrap();
    let copied = thread::spawn({
        let backing = Arc::clone(&backing);
        move || bytes(&*backing, 0x1234, 0x8000)
    });
    assert!(copied.join().unwrap().iter().all(|byte| *byte == 0));
    assert!(backing.lost());
    // Writes go nowhere, and read back for as long as this lives.
    backing.slice(SIZE - 1, 1).unwrap().copy_from(&[6_u8]);
    assert_eq!(bytes(&*backing, SIZE - 1, 1), [6]);
    assert_eq!(fstat(&file).unwrap().st_size, 0);
    // The file comes back: as new memory, for new maps.
    ftruncate(&file, SIZE).unwrap();
    let (again, _) = get().unwrap();
    assert!(!same(&backing, &again) && !again.lost());
    assert!(backing.lost());
}

#[test]
fn memory_that_is_only_read_can_be_lost_too() {
    let files = Files::default();
    let file = memory(SIZE);
    let fd = dup(&file).unwrap();
    let (backing, offset) = files.backing(fd, 0x1000, 0x1000, Access::READ).unwrap();
    ftruncate(&file, 0).unwrap();
    assert_eq!(bytes(&*backing, offset, 16), [0; 16]);
    assert!(backing.lost());
}

#[test]
fn huge_pages_can_be_lost_too() {
    const NAME: &str = "huge_pages_can_be_lost_too";
    const HUGE: u64 = 2 << 20;
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::HUGETLB | MemfdFlags::HUGE_2MB;
    let files = Files::default();
    let made = memfd_create("huge", flags).and_then(|file| {
        ftruncate(&file, 2 * HUGE)?;
        Ok(file)
    });
    let file = match made {
        Ok(file) => file,
        Err(errno) => {
            eprintln!("SKIPPED {NAME}: no file of huge pages: {errno}");
            return;
        }
    };
    let mapped = files.backing(dup(&file).unwrap(), HUGE, HUGE, Access::READ_WRITE);
    let Ok((backing, offset)) = mapped else {
        eprintln!("SKIPPED {NAME}: no huge pages are reserved");
        return;
    };
    backing.slice(offset, 8).unwrap().copy_from(&[1_u8; 8]);
    ftruncate(&file, 0).unwrap();
    assert_eq!(bytes(&*backing, offset + 0x1000, 8), [0; 8]);
    assert!(backing.lost());
}

/// Threads copy in mappings that come and go, and whose files are cut short at any
/// time.
#[test]
fn many_files_come_go_and_are_cut_short_under_load() {
    let files = Arc::new(Files::default());
    let stop = Arc::new(AtomicBool::new(false));
    let shared: Arc<Vec<OwnedFd>> = Arc::new((0..4).map(|_| memory(0x8000)).collect());
    let cutter = thread::spawn({
        let (stop, shared) = (Arc::clone(&stop), Arc::clone(&shared));
        move || {
            let mut at = 0;
            while !stop.load(Ordering::Relaxed) {
                let file = &shared[at % shared.len()];
                ftruncate(file, 0).unwrap();
                ftruncate(file, 0x8000).unwrap();
                at += 1;
            }
        }
    });
    let end = Instant::now() + Duration::from_millis(700);
    let workers: Vec<_> = (0..3)
        .map(|seed: usize| {
            let (files, shared) = (Arc::clone(&files), Arc::clone(&shared));
            thread::spawn(move || {
                let mut lost = 0_u32;
                let mut at = seed;
                while Instant::now() < end {
                    at += 1;
                    // One of those that are cut, and one that is not.
                    let cut = dup(&shared[at % shared.len()]).unwrap();
                    // The file may be short just now, which is refused.
                    let cut = files.backing(cut, 0, 0x8000, Access::READ_WRITE);
                    let own = files.backing(memory(0x4000), 0, 0x4000, Access::READ_WRITE);
                    let (own, _) = own.unwrap();
                    own.slice(0, 0x4000).unwrap().copy_from(&[3_u8; 0x4000]);
                    for _ in 0..20 {
                        let Ok((cut, _)) = &cut else {
                            break;
                        };
                        let slice = cut.slice(0, 0x8000).unwrap();
                        slice.copy_from(&[9_u8; 0x8000]);
                        lost += u32::from(cut.lost());
                    }
                    assert!(bytes(&*own, 0, 0x4000).iter().all(|byte| *byte == 3));
                    assert!(!own.lost());
                }
                lost
            })
        })
        .collect();
    let lost: u32 = workers
        .into_iter()
        .map(|worker| worker.join().unwrap())
        .sum();
    stop.store(true, Ordering::Relaxed);
    cutter.join().unwrap();
    assert!(lost > 0, "no copy met a file that was cut short");
}

/// What a process of its own does, and how it ends.
const CHILD: &str = "IMS_TEST_BUS_ERROR";

/// Runs the test `name` of this program again with `what` to do.
fn child(name: &str, what: &str) -> std::process::ExitStatus {
    let exact = format!("{}::{name}", module_path!().split_once("::").unwrap().1);
    Command::new(std::env::current_exe().unwrap())
        .args([&exact, "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, what)
        .output()
        .unwrap()
        .status
}

/// Touches a file of our own that was cut short, and that is no client's.
fn fault_elsewhere() {
    let file = memory(0x1000);
    // SAFETY: no address is asked for, so nothing of this process is replaced.
    let start = unsafe {
        mmap(
            null_mut(),
            0x1000,
            ProtFlags::READ,
            MapFlags::SHARED,
            &file,
            0,
        )
    };
    let start = start.unwrap().cast::<u8>();
    ftruncate(&file, 0).unwrap();
    // SAFETY: the page is mapped; that it has no file behind it is the point.
    let byte = unsafe { start.read_volatile() };
    unreachable!("read {byte} where nothing is");
}

/// Sets what is done on a bus error, before the first file is mapped.
fn set_before(handler: usize, flags: libc::c_int) {
    // SAFETY: all zeros is a valid `sigaction`.
    let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    action.sa_sigaction = handler;
    action.sa_flags = flags;
    // SAFETY: the action is valid, and nobody asks for the one before.
    let done = unsafe { libc::sigaction(libc::SIGBUS, &action, null_mut()) };
    assert_eq!(done, 0);
}

extern "C" fn exit_41(_signal: libc::c_int) {
    // SAFETY: async-signal-safe; ends the process.
    unsafe { libc::_exit(41) }
}

extern "C" fn exit_42(signal: libc::c_int, info: *mut libc::siginfo_t, _: *mut c_void) {
    // SAFETY: whoever passes a signal on gives what the kernel gave.
    let same = unsafe { (*info).si_signo } == signal;
    // SAFETY: async-signal-safe; ends the process.
    unsafe { libc::_exit(if same { 42 } else { 1 }) }
}

/// Maps a file, loses it and lives; then does `what`.
fn in_child(what: &str) {
    let (before, then) = what.split_once(' ').unwrap();
    match before {
        "rust" => {}
        "default" => set_before(libc::SIG_DFL, 0),
        "ignore" => set_before(libc::SIG_IGN, 0),
        "plain" => set_before(exit_41 as *const () as usize, 0),
        "info" => set_before(exit_42 as *const () as usize, libc::SA_SIGINFO),
        _ => unreachable!(),
    }
    let file = memory(0x1000);
    let fd = dup(&file).unwrap();
    let (backing, _) = Files::default()
        .backing(fd, 0, 0x1000, Access::READ)
        .unwrap();
    ftruncate(&file, 0).unwrap();
    assert_eq!(bytes(&*backing, 0, 1), [0]);
    assert!(backing.lost());
    match then {
        "fault" => fault_elsewhere(),
        // SAFETY: sends a signal to this thread; the handlers are those above.
        "raise" => assert_eq!(unsafe { libc::raise(libc::SIGBUS) }, 0),
        _ => unreachable!(),
    }
    std::process::exit(17);
}

#[test]
fn a_bus_error_elsewhere_goes_to_whoever_had_it_before() {
    const NAME: &str = "a_bus_error_elsewhere_goes_to_whoever_had_it_before";
    if let Ok(what) = std::env::var(CHILD) {
        in_child(&what);
    }
    let killed = (None, Some(libc::SIGBUS));
    let exits = |code| (Some(code), None);
    for (what, end) in [
        ("rust fault", killed),
        ("default fault", killed),
        ("default raise", killed),
        ("ignore fault", killed),
        ("ignore raise", exits(17)),
        ("plain fault", exits(41)),
        ("plain raise", exits(41)),
        ("info fault", exits(42)),
        ("info raise", exits(42)),
    ] {
        let status = child(NAME, what);
        assert_eq!((status.code(), status.signal()), end, "{what}");
    }
}
