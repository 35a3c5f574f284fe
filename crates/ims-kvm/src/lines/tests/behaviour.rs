// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a line does, case by case.

use super::*;
use vmm_sys_util::eventfd::EventFd;

const SHORT: Duration = Duration::from_millis(5);

#[test]
fn an_eventfd_works_at_once_and_a_busy_one_becomes_an_irqfd() {
    let world = world(4, 10);
    world.write(1);
    world.turn(SHORT);
    assert_eq!(world.delivered(), [data(1, 0)]);
    assert_eq!(
        (world.vm.commits(), world.vm.irqfds()),
        (0, 0),
        "once is not busy"
    );
    world.write(1);
    world.write(1);
    world.turn(SHORT);
    assert_eq!(world.delivered(), [data(1, 0)], "read once");
    world.settle();
    assert!(world.is_irqfd(1));
    world.write(1);
    assert!(world.vm.delivered()[0].irqfd);
    let report = world.interrupts.report();
    assert_eq!(
        (report.eventfds, report.promoted, report.promotions),
        (1, 1, 1)
    );
    assert_eq!((report.forwarded, report.commits, report.routes), (2, 1, 3));
    assert_eq!(
        (report.returned, report.demotions, report.failed_commits),
        (0, 0, 0)
    );
}

#[test]
fn a_device_that_wants_routes_has_them_at_the_next_turn() {
    let world = world(8, 64);
    world.lines.eventfd(3).unwrap();
    world.lines.want_routes();
    world.turn(Duration::ZERO);
    assert!(world.is_irqfd(3));
    // So does an eventfd made later, and one that is unmasked later.
    world.change(4, |vector| vector.masked = true);
    world.lines.eventfd(4).unwrap();
    world.lines.eventfd(5).unwrap();
    world.settle();
    assert!(world.is_irqfd(5) && !world.is_irqfd(4));
    world.change(4, |vector| vector.masked = false);
    world.settle();
    assert!(world.is_irqfd(4));
}

#[test]
fn a_masked_vectors_eventfd_is_pending_and_delivered_once_without_a_commit() {
    let world = world(2, 10);
    world.lines.eventfd(0).unwrap();
    world.lines.want_routes();
    world.settle();
    world.change(0, |vector| vector.masked = true);
    assert!(!world.is_irqfd(0));
    world.write(0);
    assert!(world.delivered().is_empty());
    world.lines.drain(0..1);
    assert!(world.guest.vector(0).pending);
    world.change(0, |vector| vector.masked = false);
    assert_eq!(world.delivered(), [data(0, 0)]);
    assert!(world.is_irqfd(0));
    world.settle();
    assert_eq!((world.delivered(), world.vm.commits()), (vec![], 1));
    assert_eq!(world.interrupts.report().returned, 1);
}

#[test]
fn a_new_message_is_forwarded_at_once_and_has_its_route_later() {
    let world = world(1, 10);
    world.lines.eventfd(0).unwrap();
    world.lines.want_routes();
    world.settle();
    world.change(0, |vector| vector.version = 1);
    world.write(0);
    world.turn(Duration::ZERO);
    assert_eq!(world.delivered(), [data(0, 1)]);
    world.settle();
    assert!(world.is_irqfd(0));
    world.write(0);
    assert_eq!(world.delivered(), [data(0, 1)]);
    assert_eq!(
        (world.vm.routes().len(), world.vm.commits()),
        (3, 2),
        "the same GSI"
    );
}

#[test]
fn what_is_closed_is_raised_first_and_its_route_leaves_the_table() {
    let world = world(2, 10);
    for index in 0..2 {
        world.lines.eventfd(index).unwrap();
    }
    world.lines.want_routes();
    world.settle();
    let eventfd = world.lines.eventfd(0).unwrap();
    world.change(0, |vector| vector.masked = true);
    world.vm.write(&eventfd);
    world.lines.close(0);
    assert!(world.guest.vector(0).pending && !world.lines.has_eventfd(0));
    world.vm.write(&eventfd);
    world.settle();
    assert_eq!((world.delivered(), world.vm.routes().len()), (vec![], 3));
    drop(world.lines);
    assert_eq!(world.vm.irqfds(), 0);
    let mut forwarder = world.forwarder.into_inner().unwrap();
    for _ in 0..3 {
        world.interrupts.pass(Duration::from_secs(1));
        forwarder.turn(Some(Duration::ZERO)).unwrap();
    }
    assert_eq!(world.vm.routes().len(), 2);
    let report = world.interrupts.report();
    assert_eq!((report.eventfds, report.promoted, report.routes), (0, 0, 2));
}

#[test]
fn an_eventfd_made_elsewhere_takes_the_place_of_the_one_before() {
    let world = world(1, 10);
    let before = world.lines.eventfd(0).unwrap();
    before.write(1).unwrap();
    world.lines.accept(0, EventFd::new(0).unwrap()).unwrap();
    assert_eq!(world.delivered(), [data(0, 0)], "what was written before");
    world.write(0);
    world.turn(SHORT);
    assert_eq!(world.delivered(), [data(0, 0)]);
    assert!(world.lines.accept(1, EventFd::new(0).unwrap()).is_err());
}

#[test]
fn a_commit_that_fails_leaves_all_as_it_was_and_is_tried_again() {
    let world = world(3, 10);
    world.lines.eventfd(0).unwrap();
    world.lines.want_routes();
    world.settle();
    world.lines.eventfd(1).unwrap();
    world.change(0, |vector| vector.version = 1);
    world.vm.fail_routes(1);
    assert!(world.commit().is_err());
    assert_eq!(world.vm.routes().len(), 3);
    world.change(0, |vector| vector.version = 0);
    assert!(world.is_irqfd(0), "its old route stands");
    world.write(0);
    world.write(1);
    world.turn(Duration::ZERO);
    assert_eq!(world.delivered(), [data(0, 0), data(1, 0)]);
    world.settle();
    assert!(world.is_irqfd(1));
    assert_eq!(world.interrupts.report().failed_commits, 1);
}

#[test]
fn an_eventfd_that_kvm_does_not_take_is_forwarded() {
    let world = world(1, 10);
    world.lines.eventfd(0).unwrap();
    world.vm.fail_attaches(1);
    world.lines.want_routes();
    world.settle();
    assert!(!world.is_irqfd(0));
    for _ in 0..3 {
        world.write(0);
        world.turn(SHORT);
        assert_eq!(world.delivered(), [data(0, 0)]);
    }
    world.settle();
    assert!(world.is_irqfd(0), "tried again, for it is busy");
    assert_eq!(world.interrupts.report().failed_promotions, 1);
}

#[test]
fn a_message_that_cannot_be_a_route_stays_forwarded() {
    let world = world(1, 10);
    world.change(0, |vector| vector.malformed = true);
    world.lines.eventfd(0).unwrap();
    world.lines.want_routes();
    for _ in 0..4 {
        world.write(0);
        world.turn(SHORT);
        assert_eq!(world.delivered(), [data(0, 0)]);
    }
    assert_eq!((world.vm.irqfds(), world.vm.commits()), (0, 0));
    world.change(0, |vector| vector.malformed = false);
    world.settle();
    assert!(world.is_irqfd(0));
}

#[test]
fn pins_come_first_and_take_a_vectors_gsi() {
    let world = world(4, 6);
    for index in 0..4 {
        world.lines.eventfd(index).unwrap();
    }
    world.lines.want_routes();
    world.settle();
    assert_eq!(world.vm.irqfds(), 4);
    world.vm.fail_routes(1);
    assert!(world.interrupts.set_pins(&pins([0, 2, 3])).is_err());
    assert_eq!(
        (world.vm.irqfds(), world.vm.routes().len()),
        (4, 6),
        "as before"
    );
    world.interrupts.set_pins(&pins([0, 2, 3])).unwrap();
    assert_eq!((world.vm.irqfds(), world.vm.routes().len()), (2, 5));
    world.settle();
    assert_eq!(world.vm.irqfds(), 3, "GSI 1 is free now");
    for index in 0..4 {
        world.write(index);
    }
    world.settle();
    assert_eq!(world.delivered().len(), 4);
}

#[test]
fn pins_that_kvm_cannot_have_are_refused() {
    let new = |pins, gsis| {
        let options = Options {
            pins,
            addressing: Addressing::Xapic,
            gsis,
        };
        Interrupts::new(Arc::new(ModelVm::new(64)), options).map(drop)
    };
    assert!(new(Pins::InKernel, Some(23)).is_err());
    assert!(new(Pins::Routes(pins([64])), None).is_err());
    assert!(new(Pins::Split(65), None).is_err());
    assert!(new(Pins::Split(64), None).is_ok());
}

#[test]
fn with_too_few_gsis_the_busy_ones_have_them_and_a_new_hot_set_gets_them() {
    let world = world(40, 12);
    for hot in [0..8, 16..24, 32..40, 4..12] {
        for _ in 0..400 {
            for index in hot.clone() {
                world.write(index);
            }
            world.turn(Duration::from_millis(1));
        }
        let irqfds = hot.clone().filter(|index| world.is_irqfd(*index)).count();
        assert!(irqfds >= 7, "{irqfds} of 8 in {hot:?}");
        assert_eq!(world.delivered().len(), 400 * 8);
    }
    assert!(world.interrupts.report().demotions > 0);
}

#[test]
fn without_want_of_gsis_nobody_is_demoted() {
    let world = world(10, 12);
    for _ in 0..100 {
        for index in 0..10 {
            world.write(index);
        }
        world.turn(Duration::from_millis(1));
    }
    assert_eq!(world.vm.irqfds(), 10);
    assert_eq!(world.interrupts.report().demotions, 0);
}

#[test]
fn one_that_is_held_twice_is_let_go_by_the_last_and_one_made_meanwhile_is_held_too() {
    let world = world(4, 10);
    world.lines.want_routes();
    world.lines.eventfd(1).unwrap();
    world.settle();
    let outer = world.lines.hold(0..4);
    let inner = world.lines.hold(1..2);
    world.lines.eventfd(2).unwrap();
    world.settle();
    assert_eq!(world.vm.irqfds(), 0);
    drop(outer);
    world.settle();
    assert!(!world.is_irqfd(1) && world.is_irqfd(2));
    drop(inner);
    assert!(world.is_irqfd(1));
    #[expect(clippy::reversed_empty_ranges, reason = "nothing is held")]
    drop(world.lines.hold(3..1));
}

#[test]
fn the_thread_starts_with_the_first_eventfd_and_ends_with_the_last_handle() {
    let world = world(1, 10);
    let options = Options {
        pins: Pins::Split(4),
        addressing: Addressing::Xapic,
        gsis: None,
    };
    let interrupts = Interrupts::new(Arc::clone(&world.vm), options).unwrap();
    let weak = Arc::downgrade(&interrupts.owner.shared);
    let lines = interrupts.lines(Arc::clone(&world.guest) as Arc<dyn Target>, 1);
    let eventfd = lines.eventfd(0).unwrap();
    drop(interrupts);
    eventfd.write(1).unwrap();
    while world.vm.delivered().is_empty() {
        std::thread::yield_now();
    }
    drop(lines);
    assert!(weak.upgrade().is_none(), "the thread has it no more");
}
