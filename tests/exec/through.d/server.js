// A server and 200 clients in one process, and children.
const http = require('http'), children = require('child_process');
const server = http.createServer((request, answer) => answer.end('hello ' + request.url));
server.listen(0, '127.0.0.1', async () => {
  const port = server.address().port;
  const ask = number => new Promise(done => http.get({port, path: '/' + number}, answer => {
    let text = '';
    answer.on('data', part => text += part);
    answer.on('end', () => done(text.length));
  }));
  const sizes = await Promise.all([...Array(200).keys()].map(ask));
  console.log('bytes', sizes.reduce((sum, size) => sum + size));
  console.log(children.execSync('echo child').toString().trim());
  console.log(children.spawnSync('cat', {input: 'x'.repeat(100000)}).stdout.length);
  server.close();
});
