const [ann, ben, cat] = [await somebody("ann"), await somebody("ben"), await somebody("cat")];
const hosted = await ann.create({ ...teaOrCoffee, admission: "invited" });
same(hosted.poll().admission, "invited");
const [bens, cats] = [await join(ben, hosted.link), await join(cat, hosted.link)];
const [tea] = bens.poll().options.map(option => option.optionId);
const code = async submitted => (await outcome(submitted)).code;
same(await code(bens.vote([tea])), "not-allowed", "Ben only looks");

const [first, second] = await hosted.issueInvitations(2);
const { link, invitation } = Hustings.parseLink(`https://example.org/#/${first}`);
same([link, invitation.length], [hosted.link, 26]);
same(Hustings.parseLink(hosted.link), { link: hosted.link });

same((await outcome(bens.redeem(invitation))).state, "applied");
same((await outcome(bens.vote([tea]))).state, "applied");
same(await code(cats.redeem(first)), "invitation-used");
same((await outcome(hosted.withdrawInvitations([second]))).state, "applied");
same(await code(cats.redeem(second)), "invitation-withdrawn");
same(await code(cats.redeem("a".repeat(26))), "unknown-invitation");

const { list, ...counts } = hosted.invitations();
same(counts, { issued: 2, used: 1, withdrawn: 1 });
same(list.map(({ withdrawn, used }) => [withdrawn, used ?? null]), [[false, null], [true, null]], "the ballots are secret");
await until(cats, () => cats.invitations().withdrawn === 1, "the numbers");
same(cats.invitations().list, []);
same(await refusal(hosted.issueInvitations(0)), "bad-argument");
same(await refusal(hosted.issueInvitations(257)), "bad-argument");
same(await refusal(hosted.withdrawInvitations([hosted.link])), "bad-argument");
