//! Many at once, one of whom reads nothing.

use std::future::poll_fn;
use std::sync::mpsc;
use std::thread;

use bytes::Bytes;
use hustings_protocol::Address;
use hustings_room::LinkId;
use hustings_room::transport::{Transport, TransportEvent};
use hustings_transport_peerjs::Config;
use tokio::runtime::Builder;

use crate::side::{Side, Signalling, loopback, soon};

const OTHERS: usize = 50;
const FRAME: usize = 16 * 1024;
const FRAMES: usize = 60;
/// Half of what the frames are: whoever reads none of them has no room for them all.
const QUEUE: usize = FRAME * FRAMES / 2;

/// Somebody on a thread, who joins and then stands still, as a process that is stopped does, until
/// told to go on. Says how many frames came by the time that there is a short one.
fn stands_still(config: Config, to: Address) -> (mpsc::Sender<()>, thread::JoinHandle<usize>) {
    let (go_on, told) = mpsc::channel();
    let thread = thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let mut side = runtime.block_on(async {
            let mut side = Side::open(&config, &loopback()).await;
            side.transport.dial(LinkId::dialled(0), &to);
            let link = side.up().await;
            side.send(link, "still");
            // The last of it is sent when its other end has said so.
            assert_eq!(side.frame().await, (link, "welcome".into()));
            side
        });
        told.recv().unwrap();
        runtime.block_on(async {
            let mut came = 0;
            while side.frame().await.1.len() == FRAME {
                came += 1;
            }
            came
        })
    });
    (go_on, thread)
}

/// Joins, and answers each frame with a short one.
async fn answers(config: Config, to: Address) {
    let mut side = Side::open(&config, &loopback()).await;
    side.transport.dial(LinkId::dialled(0), &to);
    let link = side.up().await;
    side.send(link, "hello");
    loop {
        match poll_fn(|cx| side.transport.poll_event(cx)).await {
            TransportEvent::Frame { .. } => side.send(link, "ack"),
            TransportEvent::LinkDown { .. } => return,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn one_who_stands_still_delays_nobody_and_holds_no_more_than_its_queue() {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let signalling = Signalling::start().await;
        let mut config = signalling.config();
        config.limits.max_queued_bytes = QUEUE;
        config.limits.channel_high_water = QUEUE / 4;
        config.limits.channel_low_water = QUEUE / 8;
        let mut owner = Side::open(&config, &loopback()).await;
        let (go_on, still) = stands_still(config.clone(), owner.address);
        for _ in 0..OTHERS {
            tokio::spawn(answers(config.clone(), owner.address));
        }
        let mut links = Vec::new();
        let mut its_link = None;
        while links.len() < OTHERS || its_link.is_none() {
            match owner.event().await {
                TransportEvent::LinkUp { .. } => {}
                TransportEvent::Frame { link, frame } if frame == "still" => {
                    owner.send(link, "welcome");
                    its_link = Some(link);
                }
                TransportEvent::Frame { link, .. } => links.push(link),
                other => panic!("{other:?}"),
            }
        }
        let its_link = its_link.unwrap();
        links.push(its_link);

        let frame = Bytes::from(vec![b'x'; FRAME]);
        let mut taken = 0;
        for _ in 0..FRAMES {
            let mut full = Vec::new();
            owner.transport.broadcast(&links, None, &frame, &mut full);
            assert!(full.is_empty() || full == [its_link], "{full:?}");
            taken += usize::from(full.is_empty());
            for _ in 0..OTHERS {
                let (link, ack) = owner.frame().await;
                assert!(link != its_link && ack == "ack");
            }
        }
        let most = QUEUE / FRAME + 2;
        assert!((2..=most).contains(&taken), "{taken} of at most {most}");

        go_on.send(()).unwrap();
        let event = owner.event().await;
        assert_eq!(event, TransportEvent::Writable { link: its_link });
        owner.send(its_link, "short");
        let came = soon(
            "the rest",
            tokio::task::spawn_blocking(|| still.join().unwrap()),
        )
        .await;
        assert_eq!(came.unwrap(), taken);
    });
}
