// SPDX-License-Identifier: Apache-2.0 OR MIT
//! While a batch is open nobody else commits.

use super::*;

#[test]
fn a_batch_gives_routes_to_all_in_one_call_and_keeps_the_forwarder_from_it() {
    let world = world(8, 64);
    for index in 0..8 {
        world.lines.eventfd(index).unwrap();
    }
    let batch = world.interrupts.batch();
    world.lines.want_routes();
    world.turn(Duration::from_secs(1));
    assert_eq!(world.vm.commits(), 0, "a batch is open");
    let committed = batch.commit().unwrap();
    assert_eq!(
        (committed.routes, committed.promoted, committed.waiting),
        (10, 8, 0)
    );
    assert_eq!((world.vm.commits(), world.vm.irqfds()), (1, 8));
    world.settle();
    assert_eq!(world.vm.commits(), 1);
}

#[test]
fn nothing_is_committed_while_a_batch_is_open_whatever_was_under_way() {
    struct Silent;
    impl Target for Silent {
        fn raise(&self, _index: u32) {}
        fn message(&self, index: u32) -> Option<(RequesterId, Message)> {
            let message = Message {
                address: ADDRESS,
                data: index,
            };
            Some((RequesterId(7), message))
        }
    }
    let options = Options {
        pins: Pins::Split(PINS),
        ..Options::default()
    };
    let interrupts = Interrupts::new(Arc::new(ModelVm::new(64)), options).unwrap();
    for _ in 0..200 {
        // The forwarder's thread begins to commit at once.
        let lines = interrupts.lines(Arc::new(Silent), 8);
        for index in 0..8 {
            lines.eventfd(index).unwrap();
        }
        lines.want_routes();
        let batch = interrupts.batch();
        let commits = interrupts.report().commits;
        std::thread::sleep(Duration::from_micros(300));
        assert_eq!(interrupts.report().commits, commits);
        drop(batch);
    }
}
