PRAGMA application_id = 1131369025;
PRAGMA user_version = 4;
BEGIN TRANSACTION;
CREATE TABLE blob (
        id INTEGER PRIMARY KEY, sha TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, codec TEXT NOT NULL,
        body BLOB NOT NULL) STRICT;
INSERT INTO "blob" VALUES(1,'1dd869db0698f7cb9be9be1ef6261cf31531c6fdbac5a081263281385708cd4a','question','plain',X'576865726520646F65732074686520456C626520626567696E3F0A09416E64207768793F20F09F8C8A');
INSERT INTO "blob" VALUES(2,'95fd403ffa4f0bfb4c83b8d5ea91489fd5c74b0de1f64c2d798e3ec2f4630418','settings','plain',X'7B2272657472696573223A322C226E6573746564223A7B22656D707479223A7B7D2C226C697374223A5B5D2C22626967223A313138303539313632303731373431313330333432347D7D');
INSERT INTO "blob" VALUES(3,'65d47e2a36b2441e4c723d3b36ed6999284f0fb50cfc58747fd27d3917f84ccf','tools','plain',X'5B7B226E616D65223A22736561726368222C226465736372697074696F6E223A22222C22706172616D6574657273223A7B2274797065223A226F626A656374227D2C22726F6C65223A6E756C6C2C22726561645F6F6E6C79223A6E756C6C7D5D');
INSERT INTO "blob" VALUES(4,'c32c50f0b95eb58890dcab79d2da1fb6ddc845bcf09694a8ab73027c045f0b94','message','plain',X'7B2274797065223A2268756D616E222C2264617461223A7B22636F6E74656E74223A226D6573736167652030227D7D');
INSERT INTO "blob" VALUES(5,'5ba969d825d0d4f5e2b06c1893c92a5835563da68a09c85d2b121b762f2bb3dc','message','plain',X'7B2274797065223A226169222C2264617461223A7B22636F6E74656E74223A5B7B2274797065223A2274657874222C2274657874223A22C3BC227D5D7D7D');
INSERT INTO "blob" VALUES(6,'9445feed286eb7033ad58f36dd55e0af4b7c518b1ba3c6049e6af6febe573f76','guidance','plain',X'312E20536561726368206265666F726520796F7520616E73776572');
INSERT INTO "blob" VALUES(7,'626528e3ea62fd60c659b9e6e970a848bd1bc222aa30e189ae4c0ebcc1b76362','message','plain',X'7B2274797065223A226169222C2264617461223A7B22636F6E74656E74223A227472792030222C22746F6F6C5F63616C6C73223A5B5D7D7D');
INSERT INTO "blob" VALUES(8,'94790fdb82f97eb7fd357dbf235fdbe887d1c13a12fa83eec8b91009e05f703c','message','plain',X'7B2274797065223A226169222C2264617461223A7B22636F6E74656E74223A22616761696E2030222C226578747261223A6E756C6C7D7D');
INSERT INTO "blob" VALUES(9,'21454dc6053ce4ffad6d905d44ceb047917944153f2d3a6179abef6b7721a019','feedback','plain',X'5365617263682066697273742E');
INSERT INTO "blob" VALUES(10,'0a7ecfd82e36547d4679b4e1fce32a7c679d208b18eb46f68ddd8333412978d5','call','plain',X'7B226164646564223A5B2277686174206973206E65772030225D2C226F6464223A5B313138303539313632303731373431313330333432342C7B22C2BD223A6E756C6C7D5D7D');
INSERT INTO "blob" VALUES(11,'a583fe30b132fd1901e0e54d54f3b5de7700d922bf53a8c53ec18212f683888b','call','zlib',X'7801EDD0310D00201004302F27033B84F559184808DE51C1D64AE8499FB546ADB46C0C183060C0800103060C183060C0800103060C18F83E90FB005CEA2CFD');
INSERT INTO "blob" VALUES(12,'c403730148310eb061a4a2d2ebbd3ede78a016f48dcf6d33a03b2836991c1452','observation','plain',X'726573756C742030201B5B33316D205B7265645D');
INSERT INTO "blob" VALUES(13,'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855','observation','plain',X'');
INSERT INTO "blob" VALUES(14,'229062f4fdb2aace9d83ba6bcf83085afd72d5ed77b96a12affb850cbb436d7e','constraint','plain',X'7B22746F6F6C5F63686F696365223A22736561726368227D');
INSERT INTO "blob" VALUES(15,'b08f397495d96fa4dbcf93c83862838ead1d72dac69fe1cb23f1f92c16635539','message','plain',X'7B2274797065223A2268756D616E222C2264617461223A7B22636F6E74656E74223A226D6573736167652031227D7D');
INSERT INTO "blob" VALUES(16,'9c3f71eccc3096afa0848f37aec7be805eb43ed39598fc9532e72f40a1928410','message','plain',X'7B2274797065223A226169222C2264617461223A7B22636F6E74656E74223A5B7B2274797065223A2274657874222C2274657874223A22C3BCC3BC227D5D7D7D');
INSERT INTO "blob" VALUES(17,'2583822b51660a720e8a87b0883798262334a9d18245165eaf32a2763e49c102','message','plain',X'7B2274797065223A226169222C2264617461223A7B22636F6E74656E74223A227472792031222C22746F6F6C5F63616C6C73223A5B5D7D7D');
INSERT INTO "blob" VALUES(18,'ab0826c79352f2aaa58d31ad3f1c26441372ed9bcce166ba764d9ef8e2e3f65f','message','plain',X'7B2274797065223A226169222C2264617461223A7B22636F6E74656E74223A22616761696E2031222C226578747261223A6E756C6C7D7D');
INSERT INTO "blob" VALUES(19,'5dd873fb96250f4879a991928afd78c042dd45b6b9222d039101cccd6954f360','call','plain',X'7B226164646564223A5B2277686174206973206E65772031225D2C226F6464223A5B313138303539313632303731373431313330333432342C7B22C2BD223A6E756C6C7D5D7D');
INSERT INTO "blob" VALUES(20,'b8727c1bd9cbe113f718f6426bfa9a9d24c754979abb22fce87ba1ff87616ff2','observation','zlib',X'7801EDD6B10DC0200C04C041D278059471105DE84263607FF640D7BAB4ECFFCB3EF7BFA2C453DF32A266FF5A9AD9813BF00BF24026EA05DDC8078CC4844CC8844CC8844CC8844CC8844CC8844CC8844CC8844CC8844CC8844CC8844CC8844CC8844CC8844CC8844CC8844CC8844CC8844CC8844CC8844CC8844CC8844CC8844CC8844CC8844CC8844CC8844CC8844CC8844CC8845798F000D52F945D');
INSERT INTO "blob" VALUES(21,'92d5458841bacd58c1bff7cd9614c9d4d5706de2d238c13d2ee53b1c3b15763b','message','plain',X'7B2274797065223A2268756D616E222C2264617461223A7B22636F6E74656E74223A226D6573736167652032227D7D');
INSERT INTO "blob" VALUES(22,'e85ed870ef8629d09c49ed90dfa7ad8da37ded5e509a575fbbb4ac54b4857b59','message','plain',X'7B2274797065223A226169222C2264617461223A7B22636F6E74656E74223A5B7B2274797065223A2274657874222C2274657874223A22C3BCC3BCC3BC227D5D7D7D');
INSERT INTO "blob" VALUES(23,'efc44b30ebd21642fef2da6c378ed732f3a2ad68ee28acb54b22833f896cc536','message','plain',X'7B2274797065223A226169222C2264617461223A7B22636F6E74656E74223A227472792032222C22746F6F6C5F63616C6C73223A5B5D7D7D');
INSERT INTO "blob" VALUES(24,'17a759d388bb3ec8fa3df515d5f80ea4966724d5654c8597e064133c9708cae7','message','plain',X'7B2274797065223A226169222C2264617461223A7B22636F6E74656E74223A22616761696E2032222C226578747261223A6E756C6C7D7D');
INSERT INTO "blob" VALUES(25,'b52150f42340bd2e1d091e32574d661b8fdc434a7df84bd32704691e2b8c0c0d','call','plain',X'7B226164646564223A5B2277686174206973206E65772032225D2C226F6464223A5B313138303539313632303731373431313330333432342C7B22C2BD223A6E756C6C7D5D7D');
INSERT INTO "blob" VALUES(26,'6988bb739c91e4f2b187022c9724e1cc54cdaaecaf940c78bdbd9cf84a69ebb8','answer','plain',X'496E20746865204769616E74204D6F756E7461696E732E');
CREATE TABLE call (
    id INTEGER PRIMARY KEY, run TEXT NOT NULL, idx INTEGER NOT NULL, after_step INTEGER NOT NULL,
    kind TEXT NOT NULL, key TEXT NOT NULL, request_sha TEXT NOT NULL, response_sha TEXT, error TEXT,
    seconds REAL NOT NULL, at_ns INTEGER NOT NULL) STRICT;
INSERT INTO "call" VALUES(1,'golden-1',0,1,'model','coreact.json.1:same','0a7ecfd82e36547d4679b4e1fce32a7c679d208b18eb46f68ddd8333412978d5','a583fe30b132fd1901e0e54d54f3b5de7700d922bf53a8c53ec18212f683888b',NULL,0.5,1700000000700000000);
INSERT INTO "call" VALUES(2,'golden-1',1,2,'tool','coreact.json.1:same','5dd873fb96250f4879a991928afd78c042dd45b6b9222d039101cccd6954f360',NULL,'TimeoutError: too slow',0.5,1700000000700000001);
INSERT INTO "call" VALUES(3,'golden-1',2,3,'model','coreact.json.1:same','b52150f42340bd2e1d091e32574d661b8fdc434a7df84bd32704691e2b8c0c0d','a583fe30b132fd1901e0e54d54f3b5de7700d922bf53a8c53ec18212f683888b',NULL,0.5,1700000000700000002);
CREATE TABLE candidate (
    step INTEGER NOT NULL, pos INTEGER NOT NULL, idx INTEGER NOT NULL, source TEXT NOT NULL,
    message_sha TEXT NOT NULL, actions TEXT NOT NULL, selected INTEGER NOT NULL, rejected_by TEXT,
    reason TEXT NOT NULL, calls INTEGER NOT NULL, tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL, seconds REAL NOT NULL, usd REAL, own_sha TEXT, feedback_sha TEXT, unheld TEXT NOT NULL,
    PRIMARY KEY (step, pos)) STRICT, WITHOUT ROWID;
INSERT INTO "candidate" VALUES(1,0,0,'first','626528e3ea62fd60c659b9e6e970a848bd1bc222aa30e189ae4c0ebcc1b76362','[{"call":null,"answer":""}]',0,'check','it does not search',1,100,7,0.5,0.0001,NULL,NULL,'');
INSERT INTO "candidate" VALUES(1,1,1,'retry','94790fdb82f97eb7fd357dbf235fdbe887d1c13a12fa83eec8b91009e05f703c','[{"call":{"name":"search","arguments":{"query":"Elbe source 0","top":3},"id":"call-0-0","malformed":null},"answer":null}]',1,NULL,'',0,0,0,0.0,NULL,NULL,'21454dc6053ce4ffad6d905d44ceb047917944153f2d3a6179abef6b7721a019','');
INSERT INTO "candidate" VALUES(2,0,0,'first','2583822b51660a720e8a87b0883798262334a9d18245165eaf32a2763e49c102','[{"call":null,"answer":""}]',0,'check','it does not search',1,100,7,0.5,0.0001,NULL,NULL,'its server refused it');
INSERT INTO "candidate" VALUES(2,1,1,'retry','ab0826c79352f2aaa58d31ad3f1c26441372ed9bcce166ba764d9ef8e2e3f65f','[{"call":{"name":"search","arguments":{"query":"Elbe source 1","top":3},"id":"call-1-0","malformed":null},"answer":null}]',1,NULL,'',0,0,0,0.0,NULL,NULL,'21454dc6053ce4ffad6d905d44ceb047917944153f2d3a6179abef6b7721a019','');
INSERT INTO "candidate" VALUES(3,0,0,'first','efc44b30ebd21642fef2da6c378ed732f3a2ad68ee28acb54b22833f896cc536','[{"call":null,"answer":""}]',0,'check','it does not search',1,100,7,0.5,0.0001,'8a6ce4eaa30466f57f213b60d4392ce770e6ff69f49264fc47fb69b1b7c2508a',NULL,'');
INSERT INTO "candidate" VALUES(3,1,1,'retry','17a759d388bb3ec8fa3df515d5f80ea4966724d5654c8597e064133c9708cae7','[{"call":null,"answer":"In the Giant Mountains."}]',1,NULL,'',0,0,0,0.0,NULL,NULL,'21454dc6053ce4ffad6d905d44ceb047917944153f2d3a6179abef6b7721a019','');
INSERT INTO "candidate" VALUES(4,0,0,'first','efc44b30ebd21642fef2da6c378ed732f3a2ad68ee28acb54b22833f896cc536','[{"call":null,"answer":""}]',0,'check','it does not search',1,100,7,0.5,0.0001,'8a6ce4eaa30466f57f213b60d4392ce770e6ff69f49264fc47fb69b1b7c2508a',NULL,'');
INSERT INTO "candidate" VALUES(4,1,1,'retry','17a759d388bb3ec8fa3df515d5f80ea4966724d5654c8597e064133c9708cae7','[{"call":null,"answer":"In the Giant Mountains."}]',1,NULL,'',0,0,0,0.0,NULL,NULL,'21454dc6053ce4ffad6d905d44ceb047917944153f2d3a6179abef6b7721a019','');
CREATE TABLE criterion (
        rubric TEXT NOT NULL, pos INTEGER NOT NULL, id TEXT NOT NULL, text TEXT NOT NULL,
        weight REAL NOT NULL, polarity TEXT NOT NULL, kind TEXT NOT NULL, stage TEXT,
        visibility TEXT NOT NULL, check_json TEXT, veto INTEGER NOT NULL, depends_on TEXT NOT NULL,
        provenance TEXT, PRIMARY KEY (rubric, pos)) STRICT, WITHOUT ROWID;
INSERT INTO "criterion" VALUES('0c3873c9774010c44572e4d53b4f8871ddc35462a1c4062c3e0a0539e7ce29ad',0,'c1','Search before you answer',0.4,'require','hard',NULL,'policy','{"kind":"tool_is","tools":["search"]}',0,'[]',NULL);
INSERT INTO "criterion" VALUES('0c3873c9774010c44572e4d53b4f8871ddc35462a1c4062c3e0a0539e7ce29ad',1,'c2','Name the river',3.0,'require','principle',NULL,'policy','{"kind":"argument_contains","argument":"query","terms":["Elbe"],"at_least":1}',0,'[]',NULL);
INSERT INTO "criterion" VALUES('0c3873c9774010c44572e4d53b4f8871ddc35462a1c4062c3e0a0539e7ce29ad',2,'c3','来源 must be checked ½',1.0,'require','principle',NULL,'judge_only',NULL,0,'["c1"]',NULL);
INSERT INTO "criterion" VALUES('0c3873c9774010c44572e4d53b4f8871ddc35462a1c4062c3e0a0539e7ce29ad',3,'c4','Do no harm',1.0,'forbid','safety',NULL,'policy',NULL,1,'[]',NULL);
INSERT INTO "criterion" VALUES('0c3873c9774010c44572e4d53b4f8871ddc35462a1c4062c3e0a0539e7ce29ad',4,'c5','From a later version',1.0,'require','principle',NULL,'policy','{"kind":"moon_phase","phase":[1,null,{"a":0.5}]}',0,'[]',NULL);
INSERT INTO "criterion" VALUES('8a6ce4eaa30466f57f213b60d4392ce770e6ff69f49264fc47fb69b1b7c2508a',0,'c1','Search before you answer',0.4,'require','hard',NULL,'policy','{"kind":"tool_is","tools":["search"]}',0,'[]',NULL);
INSERT INTO "criterion" VALUES('8a6ce4eaa30466f57f213b60d4392ce770e6ff69f49264fc47fb69b1b7c2508a',1,'c2','Name the river',3.0,'require','principle',NULL,'policy','{"kind":"argument_contains","argument":"query","terms":["Elbe"],"at_least":1}',0,'[]',NULL);
INSERT INTO "criterion" VALUES('8a6ce4eaa30466f57f213b60d4392ce770e6ff69f49264fc47fb69b1b7c2508a',2,'c3','来源 must be checked ½',1.0,'require','principle',NULL,'judge_only',NULL,0,'["c1"]',NULL);
INSERT INTO "criterion" VALUES('8a6ce4eaa30466f57f213b60d4392ce770e6ff69f49264fc47fb69b1b7c2508a',3,'c4','Do no harm',1.0,'forbid','safety',NULL,'policy',NULL,1,'[]',NULL);
INSERT INTO "criterion" VALUES('8a6ce4eaa30466f57f213b60d4392ce770e6ff69f49264fc47fb69b1b7c2508a',4,'c5','From a later version',1.0,'require','principle',NULL,'policy','{"kind":"moon_phase","phase":[1,null,{"a":0.5}]}',0,'[]',NULL);
INSERT INTO "criterion" VALUES('d55fbbb18c48a3c26940a37e094308cbcb49b9389c8ae5049fa5d7408b11371b',0,'c1','Search before you answer',0.4,'require','hard',NULL,'policy','{"kind":"tool_is","tools":["search"]}',0,'[]',NULL);
INSERT INTO "criterion" VALUES('d55fbbb18c48a3c26940a37e094308cbcb49b9389c8ae5049fa5d7408b11371b',1,'c2','Name the river',3.0,'require','principle',NULL,'policy','{"kind":"argument_contains","argument":"query","terms":["Elbe"],"at_least":1}',0,'[]',NULL);
INSERT INTO "criterion" VALUES('d55fbbb18c48a3c26940a37e094308cbcb49b9389c8ae5049fa5d7408b11371b',2,'c3','来源 must be checked ½',1.0,'require','principle',NULL,'judge_only',NULL,0,'["c1"]',NULL);
INSERT INTO "criterion" VALUES('d55fbbb18c48a3c26940a37e094308cbcb49b9389c8ae5049fa5d7408b11371b',3,'c4','Do no harm',1.0,'forbid','safety',NULL,'policy',NULL,1,'[]',NULL);
INSERT INTO "criterion" VALUES('d55fbbb18c48a3c26940a37e094308cbcb49b9389c8ae5049fa5d7408b11371b',4,'c5','From a later version',1.0,'require','principle',NULL,'policy','{"kind":"moon_phase","phase":[1,null,{"a":0.5}]}',0,'[]',NULL);
CREATE TABLE evaluator (
    sha TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, version TEXT NOT NULL, kind TEXT NOT NULL,
    model TEXT NOT NULL) STRICT;
INSERT INTO "evaluator" VALUES('bac6aa06161d91c9f43aa041147eb1f13661a9feb75c365f9de4b67487fd4211','judge-b','coreact.json.1:b','model','large-1');
INSERT INTO "evaluator" VALUES('7332be119eb9353430dac743baa17e9fe042b8977b36276521ada9faa0acf430','Ada','','human','');
CREATE TABLE judgment (
    id INTEGER PRIMARY KEY, uid TEXT UNIQUE, run TEXT NOT NULL, step INTEGER, candidate INTEGER,
    action INTEGER, rubric_lock TEXT NOT NULL, rubric_sha TEXT, score REAL, passed INTEGER,
    judged INTEGER NOT NULL, total INTEGER NOT NULL, calls INTEGER NOT NULL, tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL, seconds REAL NOT NULL, usd REAL, verdicts TEXT NOT NULL,
    evaluator TEXT NOT NULL, sample INTEGER NOT NULL, supersedes TEXT, note TEXT NOT NULL,
    created_ns INTEGER NOT NULL) STRICT;
INSERT INTO "judgment" VALUES(1,NULL,'golden-1',1,0,0,'coreact.json.1:98998739ca826d3913fc39bbdcf382f0d4a333a5fc9e113de8a8aae0129931ec',NULL,3.00000000000000044408e-01,0,3,4,0,0,0,0.0,NULL,'[{"criterion":"c1","reason":"","status":"met","evidence":[{"message_id":"m1","quote":"“so it says”","start":3,"end":15},{"message_id":"","quote":""}],"decided_by":"check","fault":"none"},{"criterion":"c2","reason":"because of partial","status":"partial","evidence":[{"message_id":"m1","quote":"“so it says”","start":3,"end":15},{"message_id":"","quote":""}],"decided_by":"judge-a","fault":"none","claimed":"met"},{"criterion":"c3","reason":"because of unmet","status":"unmet","evidence":[{"message_id":"m1","quote":"“so it says”","start":3,"end":15},{"message_id":"","quote":""}],"decided_by":"judge-a","fault":"none","confidence":0.625},{"criterion":"c4","reason":"because of not_applicable","status":"not_applicable","evidence":[{"message_id":"m1","quote":"“so it says”","start":3,"end":15},{"message_id":"","quote":""}],"decided_by":"judge-a","fault":"none"},{"criterion":"c5","reason":"because of unknown","status":"unknown","evidence":[{"message_id":"m1","quote":"“so it says”","start":3,"end":15},{"message_id":"","quote":""}],"decided_by":"judge-a","fault":"instrument","cause":"rate_limit"}]','run',0,NULL,'',1700000000500000000);
INSERT INTO "judgment" VALUES(2,NULL,'golden-1',1,1,0,'coreact.json.1:98998739ca826d3913fc39bbdcf382f0d4a333a5fc9e113de8a8aae0129931ec',NULL,NULL,NULL,0,0,0,0,0,0.0,NULL,'[]','run',0,NULL,'',1700000000500000000);
INSERT INTO "judgment" VALUES(3,NULL,'golden-1',2,0,0,'coreact.json.1:98998739ca826d3913fc39bbdcf382f0d4a333a5fc9e113de8a8aae0129931ec',NULL,3.00000000000000044408e-01,0,3,4,0,0,0,0.0,NULL,'[{"criterion":"c1","reason":"","status":"met","evidence":[{"message_id":"m1","quote":"“so it says”","start":3,"end":15},{"message_id":"","quote":""}],"decided_by":"check","fault":"none"},{"criterion":"c2","reason":"because of partial","status":"partial","evidence":[{"message_id":"m1","quote":"“so it says”","start":3,"end":15},{"message_id":"","quote":""}],"decided_by":"judge-a","fault":"none","claimed":"met"},{"criterion":"c3","reason":"because of unmet","status":"unmet","evidence":[{"message_id":"m1","quote":"“so it says”","start":3,"end":15},{"message_id":"","quote":""}],"decided_by":"judge-a","fault":"none","confidence":0.625},{"criterion":"c4","reason":"because of not_applicable","status":"not_applicable","evidence":[{"message_id":"m1","quote":"“so it says”","start":3,"end":15},{"message_id":"","quote":""}],"decided_by":"judge-a","fault":"none"},{"criterion":"c5","reason":"because of unknown","status":"unknown","evidence":[{"message_id":"m1","quote":"“so it says”","start":3,"end":15},{"message_id":"","quote":""}],"decided_by":"judge-a","fault":"instrument","cause":"rate_limit"}]','run',0,NULL,'',1700000000500000001);
INSERT INTO "judgment" VALUES(4,NULL,'golden-1',2,1,0,'coreact.json.1:98998739ca826d3913fc39bbdcf382f0d4a333a5fc9e113de8a8aae0129931ec',NULL,NULL,NULL,0,0,0,0,0,0.0,NULL,'[]','run',0,NULL,'',1700000000500000001);
INSERT INTO "judgment" VALUES(5,NULL,'golden-1',3,0,0,'coreact.json.1:98998739ca826d3913fc39bbdcf382f0d4a333a5fc9e113de8a8aae0129931ec',NULL,3.00000000000000044408e-01,0,3,4,0,0,0,0.0,NULL,'[{"criterion":"c1","reason":"","status":"met","evidence":[{"message_id":"m1","quote":"“so it says”","start":3,"end":15},{"message_id":"","quote":""}],"decided_by":"check","fault":"none"},{"criterion":"c2","reason":"because of partial","status":"partial","evidence":[{"message_id":"m1","quote":"“so it says”","start":3,"end":15},{"message_id":"","quote":""}],"decided_by":"judge-a","fault":"none","claimed":"met"},{"criterion":"c3","reason":"because of unmet","status":"unmet","evidence":[{"message_id":"m1","quote":"“so it says”","start":3,"end":15},{"message_id":"","quote":""}],"decided_by":"judge-a","fault":"none","confidence":0.625},{"criterion":"c4","reason":"because of not_applicable","status":"not_applicable","evidence":[{"message_id":"m1","quote":"“so it says”","start":3,"end":15},{"message_id":"","quote":""}],"decided_by":"judge-a","fault":"none"},{"criterion":"c5","reason":"because of unknown","status":"unknown","evidence":[{"message_id":"m1","quote":"“so it says”","start":3,"end":15},{"message_id":"","quote":""}],"decided_by":"judge-a","fault":"instrument","cause":"rate_limit"}]','run',0,NULL,'',1700000000500000002);
INSERT INTO "judgment" VALUES(6,NULL,'golden-1',3,0,0,'coreact.json.1:98998739ca826d3913fc39bbdcf382f0d4a333a5fc9e113de8a8aae0129931ec',NULL,1.0,1,1,1,0,0,0,0.0,NULL,'[{"criterion":"c1","reason":"","status":"met","evidence":[{"message_id":"m1","quote":"“so it says”","start":3,"end":15},{"message_id":"","quote":""}],"decided_by":"check","fault":"none"}]','own',0,NULL,'',1700000000500000002);
INSERT INTO "judgment" VALUES(7,NULL,'golden-1',3,1,0,'coreact.json.1:98998739ca826d3913fc39bbdcf382f0d4a333a5fc9e113de8a8aae0129931ec',NULL,NULL,NULL,0,0,0,0,0,0.0,NULL,'[]','run',0,NULL,'',1700000000500000002);
INSERT INTO "judgment" VALUES(8,'golden-1-j1','golden-1',1,1,0,'coreact.json.1:98998739ca826d3913fc39bbdcf382f0d4a333a5fc9e113de8a8aae0129931ec','d55fbbb18c48a3c26940a37e094308cbcb49b9389c8ae5049fa5d7408b11371b',1.0,1,1,1,0,0,0,0.0,NULL,'[{"criterion":"c1","reason":"¾ seen","status":"met","evidence":[],"decided_by":"judge-b","fault":"none"}]','bac6aa06161d91c9f43aa041147eb1f13661a9feb75c365f9de4b67487fd4211',2,NULL,'',1700000003000000000);
INSERT INTO "judgment" VALUES(9,'golden-1-j2','golden-1',1,1,0,'coreact.json.1:98998739ca826d3913fc39bbdcf382f0d4a333a5fc9e113de8a8aae0129931ec','d55fbbb18c48a3c26940a37e094308cbcb49b9389c8ae5049fa5d7408b11371b',1.0,1,1,1,0,0,0,0.0,NULL,'[{"criterion":"c1","reason":"¾ seen","status":"met","evidence":[],"decided_by":"judge-b","fault":"none"}]','7332be119eb9353430dac743baa17e9fe042b8977b36276521ada9faa0acf430',0,'golden-1-j1','no ½',1700000003000000000);
INSERT INTO "judgment" VALUES(10,'golden-1-j3','golden-1',NULL,NULL,NULL,'coreact.json.1:98998739ca826d3913fc39bbdcf382f0d4a333a5fc9e113de8a8aae0129931ec','0c3873c9774010c44572e4d53b4f8871ddc35462a1c4062c3e0a0539e7ce29ad',1.0,1,1,1,0,0,0,0.0,NULL,'[{"criterion":"c1","reason":"¾ seen","status":"met","evidence":[],"decided_by":"judge-b","fault":"none"}]','bac6aa06161d91c9f43aa041147eb1f13661a9feb75c365f9de4b67487fd4211',0,NULL,'',1700000004000000000);
INSERT INTO "judgment" VALUES(11,NULL,'golden-1',4,0,0,'coreact.json.1:98998739ca826d3913fc39bbdcf382f0d4a333a5fc9e113de8a8aae0129931ec',NULL,3.00000000000000044408e-01,0,3,4,0,0,0,0.0,NULL,'[{"criterion":"c1","reason":"","status":"met","evidence":[{"message_id":"m1","quote":"“so it says”","start":3,"end":15},{"message_id":"","quote":""}],"decided_by":"check","fault":"none"},{"criterion":"c2","reason":"because of partial","status":"partial","evidence":[{"message_id":"m1","quote":"“so it says”","start":3,"end":15},{"message_id":"","quote":""}],"decided_by":"judge-a","fault":"none","claimed":"met"},{"criterion":"c3","reason":"because of unmet","status":"unmet","evidence":[{"message_id":"m1","quote":"“so it says”","start":3,"end":15},{"message_id":"","quote":""}],"decided_by":"judge-a","fault":"none","confidence":0.625},{"criterion":"c4","reason":"because of not_applicable","status":"not_applicable","evidence":[{"message_id":"m1","quote":"“so it says”","start":3,"end":15},{"message_id":"","quote":""}],"decided_by":"judge-a","fault":"none"},{"criterion":"c5","reason":"because of unknown","status":"unknown","evidence":[{"message_id":"m1","quote":"“so it says”","start":3,"end":15},{"message_id":"","quote":""}],"decided_by":"judge-a","fault":"instrument","cause":"rate_limit"}]','run',0,NULL,'',1700000000500000002);
INSERT INTO "judgment" VALUES(12,NULL,'golden-1',4,0,0,'coreact.json.1:98998739ca826d3913fc39bbdcf382f0d4a333a5fc9e113de8a8aae0129931ec',NULL,1.0,1,1,1,0,0,0,0.0,NULL,'[{"criterion":"c1","reason":"","status":"met","evidence":[{"message_id":"m1","quote":"“so it says”","start":3,"end":15},{"message_id":"","quote":""}],"decided_by":"check","fault":"none"}]','own',0,NULL,'',1700000000500000002);
INSERT INTO "judgment" VALUES(13,NULL,'golden-1',4,1,0,'coreact.json.1:98998739ca826d3913fc39bbdcf382f0d4a333a5fc9e113de8a8aae0129931ec',NULL,NULL,NULL,0,0,0,0,0,0.0,NULL,'[]','run',0,NULL,'',1700000000500000002);
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO "meta" VALUES('created_ns','1795720035111418287');
CREATE TABLE observation (
        id INTEGER PRIMARY KEY, run TEXT NOT NULL, idx INTEGER NOT NULL, after_step INTEGER NOT NULL,
        call_id TEXT NOT NULL, tool TEXT NOT NULL, text_sha TEXT NOT NULL, failed INTEGER NOT NULL,
        blocked INTEGER NOT NULL, seconds REAL NOT NULL, at_ns INTEGER NOT NULL) STRICT;
INSERT INTO "observation" VALUES(1,'golden-1',0,1,'call-0-0','search','c403730148310eb061a4a2d2ebbd3ede78a016f48dcf6d33a03b2836991c1452',0,0,0.25,1700000001000000000);
INSERT INTO "observation" VALUES(2,'golden-1',0,1,'call-0-1','search','e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',1,0,0.25,1700000001000000000);
INSERT INTO "observation" VALUES(3,'golden-1',1,2,'call-1-0','search','b8727c1bd9cbe113f718f6426bfa9a9d24c754979abb22fce87ba1ff87616ff2',0,0,0.25,1700000001000000001);
INSERT INTO "observation" VALUES(4,'golden-1',1,2,'call-1-1','search','e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',1,0,0.25,1700000001000000001);
CREATE TABLE rubric (
        sha TEXT NOT NULL PRIMARY KEY, lock TEXT NOT NULL, scope TEXT NOT NULL, threshold REAL NOT NULL
        ) STRICT;
INSERT INTO "rubric" VALUES('d55fbbb18c48a3c26940a37e094308cbcb49b9389c8ae5049fa5d7408b11371b','coreact.json.1:98998739ca826d3913fc39bbdcf382f0d4a333a5fc9e113de8a8aae0129931ec','step',0.7);
INSERT INTO "rubric" VALUES('8a6ce4eaa30466f57f213b60d4392ce770e6ff69f49264fc47fb69b1b7c2508a','coreact.json.1:98998739ca826d3913fc39bbdcf382f0d4a333a5fc9e113de8a8aae0129931ec','step',0.25);
INSERT INTO "rubric" VALUES('0c3873c9774010c44572e4d53b4f8871ddc35462a1c4062c3e0a0539e7ce29ad','coreact.json.1:98998739ca826d3913fc39bbdcf382f0d4a333a5fc9e113de8a8aae0129931ec','answer',0.7);
CREATE TABLE run (
        id TEXT NOT NULL PRIMARY KEY, question_sha TEXT NOT NULL, agent TEXT NOT NULL, thread_id TEXT,
        settings_sha TEXT NOT NULL, seed TEXT, parent_run TEXT, forked_at INTEGER, version TEXT NOT NULL,
        started_ns INTEGER NOT NULL,
        status TEXT NOT NULL DEFAULT 'running', answer_sha TEXT, score REAL, error TEXT, ended_ns INTEGER,
        agent_version TEXT NOT NULL DEFAULT '', origin TEXT NOT NULL DEFAULT 'coreact',
        capture TEXT NOT NULL DEFAULT 'full') STRICT;
INSERT INTO "run" VALUES('golden-1','1dd869db0698f7cb9be9be1ef6261cf31531c6fdbac5a081263281385708cd4a','searcher','thread-1','95fd403ffa4f0bfb4c83b8d5ea91489fd5c74b0de1f64c2d798e3ec2f4630418','18446744073709551615','older-run',4,'0.1.0',1700000000000000000,'done','6988bb739c91e4f2b187022c9724e1cc54cdaaecaf940c78bdbd9cf84a69ebb8',0.875,NULL,1700000002000000000,'2.1','coreact','redacted');
CREATE TABLE step (
    id INTEGER PRIMARY KEY, run TEXT NOT NULL, idx INTEGER NOT NULL, take INTEGER NOT NULL,
    node TEXT NOT NULL, phase TEXT NOT NULL, rung TEXT NOT NULL, state_digest TEXT NOT NULL,
    rubric_sha TEXT, generator TEXT NOT NULL, guidance_sha TEXT, prompt_kept INTEGER NOT NULL,
    prompt_added TEXT NOT NULL, dispositions TEXT NOT NULL, error TEXT, checkpoint_id TEXT,
    checkpoint_ns TEXT, trace_id TEXT, span_id TEXT, calls INTEGER NOT NULL, tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL, seconds REAL NOT NULL, usd REAL, at_ns INTEGER NOT NULL, remarks TEXT NOT NULL,
    tools_sha TEXT, constraint_sha TEXT, UNIQUE (run, idx, take)) STRICT;
INSERT INTO "step" VALUES(1,'golden-1',0,0,'model','early','judge','digest-0','d55fbbb18c48a3c26940a37e094308cbcb49b9389c8ae5049fa5d7408b11371b','heuristic 1','9445feed286eb7033ad58f36dd55e0af4b7c518b1ba3c6049e6af6febe573f76',0,'["c32c50f0b95eb58890dcab79d2da1fb6ddc845bcf09694a8ab73027c045f0b94", "5ba969d825d0d4f5e2b06c1893c92a5835563da68a09c85d2b121b762f2bb3dc"]','["run"]',NULL,'checkpoint-0','','0af7651916cd43dd8448eb211c80319c','b7ad6b7169203331',2,200,14,1.5,NULL,1700000000500000000,'[]','65d47e2a36b2441e4c723d3b36ed6999284f0fb50cfc58747fd27d3917f84ccf',NULL);
INSERT INTO "step" VALUES(2,'golden-1',1,0,'model','early','judge','digest-1',NULL,'heuristic 1',NULL,2,'["b08f397495d96fa4dbcf93c83862838ead1d72dac69fe1cb23f1f92c16635539", "9c3f71eccc3096afa0848f37aec7be805eb43ed39598fc9532e72f40a1928410"]','["run"]','GenerationError: it timed out','checkpoint-1','',NULL,NULL,2,200,14,1.5,NULL,1700000000500000001,'[]',NULL,'229062f4fdb2aace9d83ba6bcf83085afd72d5ed77b96a12affb850cbb436d7e');
INSERT INTO "step" VALUES(3,'golden-1',2,0,'model','late','judge','digest-2','d55fbbb18c48a3c26940a37e094308cbcb49b9389c8ae5049fa5d7408b11371b','heuristic 1','9445feed286eb7033ad58f36dd55e0af4b7c518b1ba3c6049e6af6febe573f76',4,'["92d5458841bacd58c1bff7cd9614c9d4d5706de2d238c13d2ee53b1c3b15763b", "e85ed870ef8629d09c49ed90dfa7ad8da37ded5e509a575fbbb4ac54b4857b59"]','["answered"]',NULL,'checkpoint-2','',NULL,NULL,2,200,14,1.5,NULL,1700000000500000002,'[{"deed":"dropped","reason":"it decides nothing","problem":"vague","criterion":"Search \\udc80 well"}]',NULL,NULL);
INSERT INTO "step" VALUES(4,'golden-1',2,1,'model','late','judge','digest-2','d55fbbb18c48a3c26940a37e094308cbcb49b9389c8ae5049fa5d7408b11371b','heuristic 1','9445feed286eb7033ad58f36dd55e0af4b7c518b1ba3c6049e6af6febe573f76',4,'["92d5458841bacd58c1bff7cd9614c9d4d5706de2d238c13d2ee53b1c3b15763b", "e85ed870ef8629d09c49ed90dfa7ad8da37ded5e509a575fbbb4ac54b4857b59"]','["answered"]',NULL,'checkpoint-2','',NULL,NULL,2,200,14,1.5,NULL,1700000000500000002,'[{"deed":"dropped","reason":"it decides nothing","problem":"vague","criterion":"Search \\udc80 well"}]',NULL,NULL);
CREATE INDEX run_newest ON run (started_ns, id);
CREATE INDEX rubric_lock ON rubric (lock);
CREATE INDEX step_again ON step (run, idx, id) WHERE take > 0;
CREATE INDEX judgment_step ON judgment (step);
CREATE INDEX judgment_later ON judgment (run) WHERE uid IS NOT NULL;
CREATE INDEX judgment_superseded ON judgment (supersedes) WHERE supersedes IS NOT NULL;
CREATE INDEX observation_run ON observation (run, idx);
CREATE INDEX call_run ON call (run);
CREATE VIEW step_latest AS SELECT * FROM step AS this WHERE NOT EXISTS (SELECT 1 FROM step AS again WHERE again.run = this.run AND again.take > 0
    AND again.idx <= this.idx AND again.id > this.id);
CREATE VIEW observation_latest AS SELECT * FROM observation AS this WHERE NOT EXISTS (SELECT 1 FROM step AS again WHERE again.run = this.run AND again.take > 0
    AND again.idx <= this.idx AND again.id > this.after_step);
CREATE VIEW call_latest AS SELECT * FROM call AS this WHERE NOT EXISTS (SELECT 1 FROM step AS again WHERE again.run = this.run AND again.take > 0
    AND again.idx <= this.idx AND again.id > this.after_step);
CREATE VIEW judgment_latest AS SELECT * FROM judgment AS this WHERE uid IS NULL OR NOT EXISTS (
        SELECT 1 FROM judgment AS newer WHERE newer.supersedes = this.uid);
CREATE VIEW verdict AS SELECT judgment.id AS judgment, one.key AS pos,
        json_extract(one.value, '$.criterion') AS criterion, json_extract(one.value, '$.status') AS status,
        json_extract(one.value, '$.reason') AS reason,
        json_extract(one.value, '$.decided_by') AS decided_by, json_extract(one.value, '$.fault') AS fault,
        json_extract(one.value, '$.cause') AS cause, json_extract(one.value, '$.claimed') AS claimed,
        json_extract(one.value, '$.confidence') AS confidence
        FROM judgment, json_each(CASE WHEN json_valid(judgment.verdicts) THEN judgment.verdicts ELSE '[]' END) AS one;
CREATE VIEW evidence AS SELECT judgment.id AS judgment, one.key AS verdict, piece.key AS pos,
        json_extract(piece.value, '$.message_id') AS message_id,
        json_extract(piece.value, '$.quote') AS quote, json_extract(piece.value, '$.start') AS begins,
        json_extract(piece.value, '$.end') AS ends
        FROM judgment, json_each(CASE WHEN json_valid(judgment.verdicts) THEN judgment.verdicts ELSE '[]' END) AS one, json_each(one.value, '$.evidence') AS piece;
CREATE VIEW step_message AS SELECT step.id AS step, step.prompt_kept + one.key AS pos,
        one.value AS sha FROM step, json_each(step.prompt_added) AS one;
COMMIT;
