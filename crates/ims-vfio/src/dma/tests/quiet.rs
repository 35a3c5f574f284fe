// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Taking memory away: the answer comes when nothing can touch it any more, and
//! nothing does after.

use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use super::*;

const POISON: u8 = 0xa5;

#[test]
fn a_map_is_given_back_when_the_copy_in_it_is_done() {
    let dma = allowed();
    let ram = Ram::new(0x2000);
    dma.map(map(0x1000, 0x1000, &ram, 0)).unwrap();
    dma.map(map(0x2000, 0x1000, &ram, 0x1000)).unwrap();
    let session = dma.session().unwrap();
    let window = session.window(0x1000, 0x1000, Access::WRITE).unwrap();
    let (told, other) = (Told::default(), Told::default());
    dma.unmap(0x1000, 0x1000, told.hold()).unwrap();
    // Nothing new gets in, and the one in it is waited for.
    let late = session.window(0x1000, 8, Access::WRITE);
    let unmapped = DmaError::Unmapped { address: 0x1000 };
    assert_eq!(late.unwrap_err(), unmapped);
    assert_eq!(dma.session().unwrap().write(0x1000, &[1]), Err(unmapped));
    assert_eq!(told.times(), 0);
    // Another map is nobody's business here.
    session.write(0x2000, &[1]).unwrap();
    dma.unmap(0x2000, 0x1000, other.hold()).unwrap();
    assert_eq!(other.times(), 1);
    window.slice().unwrap().copy_from(&[1_u8; 0x1000]);
    drop(window);
    assert_eq!(told.times(), 1);
    ram.fill(POISON);
    assert_eq!(session.write(0x1000, &[1]), Err(unmapped));
    assert!(ram.bytes().iter().all(|byte| *byte == POISON));
}

#[test]
fn an_unmap_waits_for_a_pinned_session_and_the_next_map_is_found_by_it() {
    let dma = allowed();
    let (old, new) = (Ram::new(0x1000), Ram::new(0x1000));
    dma.map(map(0x1000, 0x1000, &old, 0)).unwrap();
    let pinned = dma.session().unwrap().pinned();
    let slice = pinned.window(0x1000, 8, Access::WRITE).unwrap();
    let told = Told::default();
    dma.unmap(0x1000, 0x1000, told.hold()).unwrap();
    assert!(pinned.window(0x1000, 8, Access::WRITE).is_err());
    dma.map(map(0x1000, 0x1000, &new, 0)).unwrap();
    let again = pinned.window(0x1000, 8, Access::WRITE).unwrap();
    again.copy_from(&[2_u8; 8]);
    slice.copy_from(&[1_u8; 8]);
    assert_eq!((old.bytes()[0], new.bytes()[0]), (1, 2));
    assert_eq!(told.times(), 0);
    drop(pinned);
    assert_eq!(told.times(), 1);
}

/// One of the things that stop all sessions.
type StopAll = fn(&Dma, Hold);

#[test]
fn a_stop_waits_for_every_session_and_a_second_one_does_too() {
    let stops: [StopAll; 2] = [Dma::block, Dma::unmap_all];
    for (first, second) in stops.iter().flat_map(|a| stops.iter().map(move |b| (a, b))) {
        let dma = allowed();
        let ram = Ram::new(0x1000);
        dma.map(map(0x1000, 0x1000, &ram, 0)).unwrap();
        let session = dma.session().unwrap();
        let window = session.window(0x1000, 0x1000, Access::WRITE).unwrap();
        let (one, two, three) = (Told::default(), Told::default(), Told::default());
        first(&dma, one.hold());
        second(&dma, two.hold());
        // What is under way gets no further, but is waited for.
        assert!(session.is_ended());
        assert_eq!(session.write(0x1000, &[1]), Err(DmaError::Ended));
        let refused = session.window(0x1000, 1, Access::READ);
        assert_eq!(refused.unwrap_err(), DmaError::Ended);
        dma.allow();
        // A session that begins after both is nobody's business here.
        let late = dma.session().unwrap();
        window.slice().unwrap().copy_from(&[1_u8; 0x1000]);
        drop(window);
        assert_eq!((one.times(), two.times()), (0, 0));
        drop(session);
        assert_eq!((one.times(), two.times()), (1, 1));
        ram.fill(POISON);
        second(&dma, three.hold());
        assert!(late.write(0x1000, &[1]).is_err());
        assert_eq!(three.times(), 0);
        drop(late);
        assert_eq!(three.times(), 1);
        assert!(ram.bytes().iter().all(|byte| *byte == POISON));
    }
}

#[test]
fn a_session_of_a_lost_client_never_reaches_the_next_ones_memory() {
    let dma = allowed();
    let (first, next) = (Ram::new(0x1000), Ram::new(0x1000));
    dma.map(map(0x1000, 0x1000, &first, 0)).unwrap();
    let session = dma.session().unwrap();
    session.write(0x1000, &[1]).unwrap();
    dma.unmap_all(Hold::nobody());
    dma.map(map(0x1000, 0x1000, &next, 0)).unwrap();
    assert_eq!(session.write(0x1000, &[1]), Err(DmaError::Ended));
    let pinned = session.pinned();
    let lent = pinned.window(0x1000, 1, Access::WRITE);
    assert_eq!(lent.map(|slice| slice.len()), Err(DmaError::Ended));
    assert_eq!(next.bytes()[0], 0);
}

#[test]
fn whoever_is_told_may_call_back_at_once() {
    let dma = allowed();
    let ram = Ram::new(0x1000);
    dma.map(map(0x1000, 0x1000, &ram, 0)).unwrap();
    let (done, wait) = channel();
    let again = |what: &'static str| {
        let (dma, done) = (dma.clone(), Mutex::new(done.clone()));
        Hold::new(move || {
            // Would wait for ever if it were called under the lock.
            dma.block(Hold::nobody());
            dma.allow();
            let _ = done.lock().unwrap().send((what, dma.maps()));
        })
    };
    dma.unmap(0x1000, 0x1000, again("unmap")).unwrap();
    dma.block(again("block"));
    dma.unmap_all(again("all"));
    dma.map(map(0x1000, 0x1000, &ram, 0)).unwrap();
    let session = dma.session().unwrap();
    dma.unmap_all(again("all, later"));
    drop(session);
    let told: Vec<_> = wait.try_iter().collect();
    let expected = [("unmap", 0), ("block", 0), ("all", 0), ("all, later", 0)];
    assert_eq!(told, expected);
}

/// Threads copy into pages all the time; each page is taken away, poisoned, looked
/// at for a while, and given back.
#[test]
fn poisoned_pages_stay_as_they_are_under_load() {
    const PAGE: u64 = 0x1000;
    const PAGES: u64 = 4;
    let dma = allowed();
    let rams: Vec<_> = (0..PAGES).map(|_| Ram::new(0x1000)).collect();
    for (page, ram) in (0..).zip(&rams) {
        dma.map(map(page * PAGE, PAGE, ram, 0)).unwrap();
    }
    let stop = Arc::new(AtomicBool::new(false));
    let copied = Arc::new(AtomicU32::new(0));
    let workers: Vec<_> = (0..3_u8)
        .map(|seed| {
            let (dma, stop) = (dma.clone(), Arc::clone(&stop));
            let copied = Arc::clone(&copied);
            thread::spawn(move || {
                let mut at = u64::from(seed);
                while !stop.load(Ordering::Relaxed) {
                    let Ok(session) = dma.session() else {
                        thread::yield_now();
                        continue;
                    };
                    for _ in 0..20 {
                        at = at.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(99);
                        let address = (at >> 33) % (PAGES * PAGE - 64);
                        let done = session.write(address, &[seed; 64]);
                        copied.fetch_add(u32::from(done.is_ok()), Ordering::Relaxed);
                    }
                }
            })
        })
        .collect();
    for round in 0..400_u64 {
        let page = round % PAGES;
        let ram = &rams[usize::try_from(page).unwrap()];
        let (done, wait) = channel();
        let done = Mutex::new(done);
        let hold = Hold::new(move || {
            let _ = done.lock().unwrap().send(());
        });
        match round % 5 {
            0 => dma.block(hold),
            1 => dma.unmap_all(hold),
            _ => dma.unmap(page * PAGE, PAGE, hold).unwrap(),
        }
        wait.recv_timeout(Duration::from_secs(20)).unwrap();
        ram.fill(POISON);
        thread::yield_now();
        assert!(ram.bytes().iter().all(|byte| *byte == POISON));
        match round % 5 {
            0 => dma.allow(),
            1 => {
                for (page, ram) in (0..).zip(&rams) {
                    dma.map(map(page * PAGE, PAGE, ram, 0)).unwrap();
                }
            }
            _ => dma.map(map(page * PAGE, PAGE, ram, 0)).unwrap(),
        }
    }
    stop.store(true, Ordering::Relaxed);
    for worker in workers {
        worker.join().unwrap();
    }
    assert!(copied.load(Ordering::Relaxed) > 0);
}
