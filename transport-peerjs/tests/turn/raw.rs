//! Requests by hand, for those that no decent client makes.

use std::net::SocketAddr;

use tokio::net::UdpSocket;
use tokio::time::timeout;
use turn_client_proto::types::attribute::RequestedTransport;
use turn_client_proto::types::message::ALLOCATE;
use turn_client_proto::types::stun::attribute::{ErrorCode, Nonce, Realm, Username};
use turn_client_proto::types::stun::message::{
    IntegrityAlgorithm, IntegrityKey, LongTermCredentials, Message, MessageWrite, MessageWriteExt,
    MessageWriteVec, Method,
};
use turn_client_proto::types::stun::prelude::AttributeWrite;

use crate::served::PATIENCE;

/// A client with credentials, or with some that are none.
pub(crate) struct Raw {
    pub(crate) socket: UdpSocket,
    server: SocketAddr,
    username: String,
    key: IntegrityKey,
    nonce: String,
}

/// The code of an error in an answer.
pub(crate) fn code(answer: &[u8]) -> Option<u16> {
    let message = Message::from_bytes(answer).unwrap();
    message
        .attribute::<ErrorCode>()
        .ok()
        .map(|error| error.code())
}

impl Raw {
    pub(crate) async fn new(server: SocketAddr, who: &(String, String)) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let mut raw = Self {
            socket,
            server,
            username: String::new(),
            key: key(who, "hustings"),
            nonce: String::new(),
        };
        raw.become_other(who);
        let asks = Message::builder_request(ALLOCATE, MessageWriteVec::new()).finish();
        let answer = raw.send(&asks).await;
        assert_eq!(code(&answer), Some(401));
        let message = Message::from_bytes(&answer).unwrap();
        assert_eq!(message.attribute::<Realm>().unwrap().realm(), "hustings");
        raw.nonce = message.attribute::<Nonce>().unwrap().nonce().to_owned();
        raw
    }

    /// Goes on with other credentials.
    pub(crate) fn become_other(&mut self, who: &(String, String)) {
        self.username.clone_from(&who.0);
        self.key = key(who, "hustings");
    }

    pub(crate) fn with_nonce(&mut self, nonce: &str) {
        nonce.clone_into(&mut self.nonce);
    }

    pub(crate) fn nonce(&self) -> &str {
        &self.nonce
    }

    /// Sends bytes, and waits for the answer.
    pub(crate) async fn send(&self, bytes: &[u8]) -> Vec<u8> {
        self.socket.send_to(bytes, self.server).await.unwrap();
        let mut buffer = vec![0; 2_048];
        let came = timeout(PATIENCE, self.socket.recv(&mut buffer)).await;
        buffer.truncate(came.expect("an answer").unwrap());
        buffer
    }

    /// A request with a signature.
    pub(crate) fn signed(&self, method: Method, attributes: &[&dyn AttributeWrite]) -> Vec<u8> {
        let mut message = Message::builder_request(method, MessageWriteVec::new());
        for attribute in attributes {
            message.add_attribute(*attribute).unwrap();
        }
        message
            .add_attribute(&Username::new(&self.username).unwrap())
            .unwrap();
        message
            .add_attribute(&Realm::new("hustings").unwrap())
            .unwrap();
        message
            .add_attribute(&Nonce::new(&self.nonce).unwrap())
            .unwrap();
        message
            .add_message_integrity_with_key(&self.key, IntegrityAlgorithm::Sha1)
            .unwrap();
        message.finish()
    }

    pub(crate) async fn request(
        &self,
        method: Method,
        attributes: &[&dyn AttributeWrite],
    ) -> Vec<u8> {
        let bytes = self.signed(method, attributes);
        let answer = self.send(&bytes).await;
        let message = Message::from_bytes(&answer).unwrap();
        // All that is said to whoever is known is signed, so that nobody else can say it.
        if !matches!(code(&answer), Some(400 | 401 | 438)) {
            message
                .validate_integrity_with_key(&self.key)
                .expect("it is signed");
        }
        answer
    }

    pub(crate) async fn allocate(&mut self) -> Vec<u8> {
        let udp = RequestedTransport::new(RequestedTransport::UDP);
        self.request(ALLOCATE, &[&udp]).await
    }
}

fn key((name, password): &(String, String), realm: &str) -> IntegrityKey {
    LongTermCredentials::new(name.clone(), password.clone())
        .to_key(realm.to_owned())
        .make_key(IntegrityAlgorithm::Sha1)
}
