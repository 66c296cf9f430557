// The package as it is: it has a function and no program.
//
//   node node_websockify.cjs LISTEN TARGET [CERT KEY]
'use strict';

const [source, target, cert, key] = process.argv.slice(2);
console.log = () => {}; // it tells of every message
require('@maximegris/node-websockify')({ source, target, ...(cert && { cert, key }) });
