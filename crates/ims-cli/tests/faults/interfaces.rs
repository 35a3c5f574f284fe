// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A virtual device that is destroyed at work.

use std::thread;

use crate::client::{Client, VECTORS, until};
use crate::counts::{agree, device, entries_used};
use crate::neighbour::Neighbour;
use crate::{client, served, socket};

#[test]
fn a_device_destroyed_at_work_is_gone_for_its_client_alone_and_gives_back_what_it_had() {
    let served = served("destroyed");
    let neighbours = ["vdsa1", "dsa"].map(|name| Neighbour::of(client(&served, name)));
    let each = u64::from(VECTORS - 1);
    for _ in 0..4 {
        let mut client = client(&served, "vdsa0");
        assert_eq!(entries_used(&served), 2 * each);
        client.round().unwrap();
        let worker = thread::spawn(move || {
            let error = loop {
                if let Err(error) = client.round() {
                    break error;
                }
            };
            (client, error)
        });
        let destroyed = served.ask(&["adi", "destroy", "vdsa0"]);
        assert_eq!(destroyed["answer"], "destroyed");
        assert_eq!(destroyed["quiet"], true);
        let (mut client, error) = worker.join().unwrap();
        println!("told: {error}");
        assert!(client.driver.link().is_hung_up().unwrap());
        // It is destroyed when that is answered: nothing is written after it.
        client.untouched();
        let after = client.bytes();
        let socket = socket(&served, "vdsa0");
        assert!(Client::open(&socket).is_err(), "nobody is there");
        until("its entries are given back", || {
            entries_used(&served) == each
        });
        for neighbour in &neighbours {
            neighbour.goes_on();
        }
        assert!(client.bytes() == after, "written after it was destroyed");

        let created = served.ask(&["adi", "create", "vdsa0", "--vectors", "3"]);
        assert_eq!(created["answer"], "created");
        assert_eq!(created["socket"], socket.to_str().unwrap());
        let mut client = Client::open(&socket).unwrap();
        client.round().unwrap();
        agree(&served, "vdsa0", &mut client);
        // Its entries are its client's only while there is one.
        drop(client);
        until("they are given back, too", || entries_used(&served) == each);
        until("it is as after power-on", || {
            device(&served, "vdsa0")["state"] == "disabled"
        });
    }
    for (name, neighbour) in ["vdsa1", "dsa"].iter().zip(neighbours) {
        agree(&served, name, &mut neighbour.finish());
    }
}
